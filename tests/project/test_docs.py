import re
import tomllib
from dataclasses import fields

import pytest

from graph.settings import Settings as AgentSettings
from holdfast.settings import OF_CLIENTS, Settings, variable
from tests.gates import ROOT, project_files

DOCS = {path: text for path, text in project_files().items() if path.endswith(".md")}
SETTINGS = DOCS["docs/settings.md"]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE, re.M)
AGENT_NAMES = {
    "data": "HOLDFAST_DATA",
    "shop_database_url": "SHOP_DATABASE_URL",
    "knowledge_folder": "KNOWLEDGE_FOLDER",
    "knowledge_min_score": "KNOWLEDGE_MIN_SCORE",
    "refund_policy": "REFUND_POLICY",
    "payment_provider": "PAYMENT_PROVIDER",
    "stripe_api_key": "STRIPE_API_KEY",
    "stripe_api_base": "STRIPE_API_BASE",
    "openai_api_key": "OPENAI_API_KEY",
    "openai_base_url": "OPENAI_BASE_URL",
    "openai_model": "OPENAI_MODEL",
    "openai_embedding_model": "OPENAI_EMBEDDING_MODEL",
    "tech_support_url": "TECH_SUPPORT_URL",
    "tech_support_key": "TECH_SUPPORT_KEY",
    "tech_support_timeout_s": "TECH_SUPPORT_TIMEOUT_S",
}


def shown(default: object) -> str:
    """Show a default as one would write it into .env."""
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return f"`{default}`" if default not in (None, "") else "(none)"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_of_the_platform_is_documented_in_its_own_words(field: str) -> None:
    setting = Settings.model_fields[field]
    row = f"| `{variable(field)}` | {shown(setting.default)} | {setting.description} |"
    assert row in SETTINGS.splitlines(), f"docs/settings.md lacks the line\n{row}"


@pytest.mark.parametrize("field", fields(AgentSettings), ids=lambda field: field.name)
def test_every_setting_of_the_agent_is_documented_with_its_default(field: object) -> None:
    name, default = getattr(field, "name", ""), getattr(field, "default", None)
    start = f"| `{AGENT_NAMES.get(name, f'AGENT_{name.upper()}')}` | {shown(default)} |"
    assert any(line.startswith(start) for line in SETTINGS.splitlines()), f"docs/settings.md lacks {start}"


def test_the_documents_name_no_setting_that_does_not_exist() -> None:
    known = {variable(field) for field in Settings.model_fields}
    agent = {AGENT_NAMES.get(field.name, f"AGENT_{field.name.upper()}") for field in fields(AgentSettings)}
    texts = [
        *DOCS.values(),
        *((ROOT / name).read_text() for name in (".env.example", "docker-compose.yml", "Dockerfile")),
    ]
    start = r"\b(?:HOLDFAST|AGENT|OPENAI|SHOP|REFUND|PAYMENT|STRIPE|TECH)"
    named = set(re.findall(rf"{start}_[A-Z_]*[A-Z]\b", "\n".join(texts)))
    assert named <= known | agent | set(OF_CLIENTS)


def test_the_example_file_offers_every_setting_commented_out_with_its_default() -> None:
    example = dict(re.findall(r"^# ?([A-Z_]+)=(\S*)", (ROOT / ".env.example").read_text(), re.M))
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| (\(none\)|`[^`]*`) \|", SETTINGS, re.M))
    assert set(example) == set(documented)
    fixed = {name: default.strip("`") for name, default in documented.items() if default != "(none)"}
    assert {name: example[name] for name in fixed} == fixed
    assert not re.search(r"^[^#\n]", (ROOT / ".env.example").read_text(), re.M)


def test_every_make_target_is_documented() -> None:
    documented = set(re.findall(r"(?:`|^)make ([a-z-]+)", DOCS["CONTRIBUTING.md"] + DOCS["README.md"], re.M))
    assert documented == set(TARGETS)
    assert set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.M)) == set(TARGETS)


def test_every_script_and_module_that_make_calls_exists() -> None:
    for module in re.findall(r"python -m (?!pip\b|mkdocs\b)([\w.]+)", MAKEFILE):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_quick_start_is_two_commands() -> None:
    section = DOCS["README.md"].split("## Quick start")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.S)
    assert block.split("\n") == ["make run", "make test", ""]


@pytest.mark.parametrize("path", sorted(DOCS))
def test_links_between_documents_lead_somewhere(path: str) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", DOCS[path])
    assert [link for link in targets if not (ROOT / path).parent.joinpath(link).exists()] == []


def test_every_decision_is_listed() -> None:
    records = {path.rsplit("/", 1)[1] for path in DOCS if re.match(r"docs/decisions/\d{4}-", path)}
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", DOCS["docs/decisions/README.md"])
    assert sorted(records) == listed


def test_the_changelog_has_a_place_for_what_comes_and_for_the_version_that_is() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    released = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", DOCS["CHANGELOG.md"], re.M)
    assert "## [Unreleased]" in DOCS["CHANGELOG.md"].splitlines()
    assert not released or released[0] == version
