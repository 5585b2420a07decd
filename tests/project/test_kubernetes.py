"""The manifests of deploy/kubernetes: each by its schema, and together."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from holdfast.cli.server import NOTICE_S
from holdfast.settings import Settings, variable
from holdfast.worker import LAST_S
from tests.gates import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
OLDEST, NEWEST = "1.30", "1.35"  # what those who run them may have
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
# What a worker does after the grace time: it waits for runs, hands them back, and takes its name out.
LAST_STEPS = 3

Manifest = dict[str, Any]
MANIFESTS: list[Manifest] = [
    manifest for path in sorted(FOLDER.rglob("*.yaml")) for manifest in yaml.safe_load_all(path.read_text())
]
CUSTOM = [one for one in MANIFESTS if (SCHEMAS / f"{one['kind'].lower()}.json").exists()]
OWN = [one for one in MANIFESTS if one not in CUSTOM]


def named(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def of_kind(kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] == kind}


DEPLOYMENTS = of_kind("Deployment")


def pod_of(deployment: Manifest) -> Manifest:
    spec: Manifest = deployment["spec"]["template"]["spec"]
    return spec


def container_of(deployment: Manifest) -> Manifest:
    [container] = pod_of(deployment)["containers"]
    return dict(container)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifest", OWN, ids=named)
def test_each_keeps_to_the_schema_of_kubernetes(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("manifest", CUSTOM, ids=named)
def test_each_custom_resource_keeps_to_a_schema(manifest: Manifest) -> None:
    jsonschema.validate(manifest, json.loads((SCHEMAS / f"{manifest['kind'].lower()}.json").read_text()))


def test_all_kinds_are_there() -> None:
    assert {one["kind"] for one in MANIFESTS} == {
        *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy"),
        *("PodDisruptionBudget", "ScaledObject", "Secret", "Service", "ServiceAccount", "ServiceMonitor"),
    }
    assert len({named(one) for one in MANIFESTS}) == len(MANIFESTS)
    assert not any("namespace" in one["metadata"] for one in MANIFESTS)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_image_is_of_this_version(name: str) -> None:
    assert container_of(DEPLOYMENTS[name])["image"] == f"holdfast:{VERSION}"


def test_compose_builds_the_same_image() -> None:
    assert f"image: holdfast:{VERSION}\n" in (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_may_do_little(name: str) -> None:
    pod, container = pod_of(DEPLOYMENTS[name]), container_of(DEPLOYMENTS[name])
    (uid,) = re.findall(r"--uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == int(uid)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_has_time_to_hand_its_runs_back(name: str) -> None:
    pod, container = pod_of(DEPLOYMENTS[name]), container_of(DEPLOYMENTS[name])
    before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    grace_s = float(of_kind("ConfigMap")["holdfast"]["data"]["HOLDFAST_GRACE_S"])
    needed_s = float(before[1]) + NOTICE_S + grace_s + LAST_STEPS * LAST_S
    assert pod["terminationGracePeriodSeconds"] > needed_s


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_probes_ask_what_is_served(name: str) -> None:
    container = container_of(DEPLOYMENTS[name])
    ports = {port["name"] for port in container["ports"]}
    for probe, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
        asked = container[f"{probe}Probe"]["httpGet"]
        assert asked["path"] == path
        assert asked["port"] in ports


def test_what_api_and_worker_agree_on_are_settings() -> None:
    known = {variable(field) for field in Settings.model_fields}
    given = of_kind("ConfigMap")["holdfast"]["data"]
    assert {name for name in given if name.startswith("HOLDFAST_")} <= known
    assert set(of_kind("Secret")["holdfast"]["stringData"]) == {
        *("OPENAI_API_KEY", "REDIS_URL", "SHOP_DATABASE_URL")
    }
    for deployment in DEPLOYMENTS.values():
        assert container_of(deployment)["envFrom"] == [
            {"configMapRef": {"name": "holdfast"}},
            {"secretRef": {"name": "holdfast"}},
        ]


def test_what_selects_pods_finds_some() -> None:
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in DEPLOYMENTS.values()]
    selectors = [
        *(one["spec"]["selector"] for one in of_kind("Service").values()),
        *(one["spec"]["selector"]["matchLabels"] for one in of_kind("PodDisruptionBudget").values()),
        *(one["spec"]["podSelector"]["matchLabels"] for one in of_kind("NetworkPolicy").values()),
    ]
    for selector in selectors:
        assert any(selector.items() <= labels.items() for labels in pods), selector
    [monitor] = of_kind("ServiceMonitor").values()
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert any(wanted <= one["metadata"]["labels"].items() for one in of_kind("Service").values())


def test_what_is_scaled_is_there_and_by_one_alone() -> None:
    [api] = of_kind("HorizontalPodAutoscaler").values()
    [worker] = of_kind("ScaledObject").values()
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in (api, worker)]
    assert sorted(scaled) == sorted(DEPLOYMENTS)
    assert worker["spec"]["minReplicaCount"] == 0
    assert "replicas" not in DEPLOYMENTS[scaled[0]]["spec"], "a new apply would undo what the autoscaler did"
