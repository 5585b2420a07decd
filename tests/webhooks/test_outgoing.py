"""`webhooks` of langgraph.json: which addresses it leaves, and the headers that webhooks carry."""

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.webhooks.targets import Targets
from holdfast.errors import StartError, TargetRefused
from holdfast.outgoing import Addresses
from holdfast.project import load_project
from holdfast.settings import Settings
from tests.servers import SERVED, live, said
from tests.webhooks.receivers import reachable, receiving


@pytest.fixture(autouse=True)
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SERVED.parent)


def project(folder: Path, webhooks: Any) -> Path:
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"graphs": {"echo": "served_graphs:echo"}, "webhooks": webhooks}))
    return path


def is_let(address: str, rules: dict[str, Any], **settings: Any) -> bool:
    targets = Targets.of(Settings.model_validate(settings), Addresses.model_validate(rules))
    try:
        targets.check(address)
    except TargetRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "rules", "let"),
    [
        ("https://a.example.com/x", {}, True),
        ("https://a.example.com/x", {"allowed_domains": ["*.example.com"]}, True),
        ("https://a.b.example.com/x", {"allowed_domains": ["*.example.com"]}, True),
        ("https://A.Example.COM/x", {"allowed_domains": ["*.EXAMPLE.com"]}, True),
        ("https://example.com/x", {"allowed_domains": ["*.example.com"]}, False),
        ("https://badexample.com/x", {"allowed_domains": ["*.example.com", "example.com"]}, False),
        ("https://example.com.evil.org/x", {"allowed_domains": ["example.com"]}, False),
        ("https://example.com./x", {"allowed_domains": ["example.com"]}, True),
        ("https://example.com/x", {"allowed_domains": []}, False),
        ("https://example.com:8443/x", {"allowed_ports": [8443]}, True),
        ("https://example.com/x", {"allowed_ports": [8443]}, False),
        ("http://example.com/x", {}, False),
        ("http://example.com/x", {"require_https": True}, False),
        ("http://example.com/x", {"require_https": False}, True),
        ("https://example.com/" + "x" * 80, {"max_url_length": 100}, True),
        ("https://example.com/" + "x" * 81, {"max_url_length": 100}, False),
        ("https://127.0.0.1/x", {"allowed_domains": ["127.0.0.1"]}, False),
        ("https://localhost/x", {"allowed_domains": ["localhost"], "disable_loopback": False}, False),
    ],
)
def test_a_project_narrows_where_webhooks_go(address: str, rules: dict[str, Any], let: bool) -> None:
    assert is_let(address, rules) is let


def test_a_setting_counts_before_the_projects_file() -> None:
    assert not is_let("http://example.com/x", {"require_https": False}, webhook_http=False)
    assert is_let("https://example.com:9/x", {"allowed_ports": [8]}, webhook_ports="9")


async def test_webhooks_carry_the_projects_headers(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LG_WEBHOOK_KEY", "sesame")
    headers = {"X-Key": "key ${{ env.LG_WEBHOOK_KEY }}", "Content-Type": "text/plain"}
    config = project(tmp_path, {"headers": headers})
    async with receiving() as receiver, live(redis_url, config=config, **reachable(receiver)) as server:
        await server.sdk().runs.wait(None, "echo", input=said("hi"), webhook=f"{receiver.url}/hook")
        [got] = await receiver.has(1)
    assert got.headers["x-key"] == "key sesame"
    assert got.headers["content-type"] == "application/json"
    assert "webhook-signature" in got.headers


@pytest.mark.parametrize(
    ("webhooks", "sentence"),
    [
        ({"headers": {"X": "${{ env.OPENAI_API_KEY }}"}}, "OPENAI_API_KEY does not begin with LG_WEBHOOK_"),
        ({"headers": {"X": "${{ env.LG_WEBHOOK_GONE }}"}}, "the variable LG_WEBHOOK_GONE is not set"),
        ({"headers": {"X": "two\r\nlines"}}, "the header X has characters that no header may have"),
        ({"headers": {"X Y": "z"}}, "headers.X Y"),
        ({"url": {"allowed_domains": ["https://example.com"]}}, "url.allowed_domains.0"),
        ({"url": {"allowed_ports": [0]}}, "url.allowed_ports.0"),
        ([1], '"webhooks" cannot be read'),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_at_the_start(tmp_path: Path, webhooks: Any, sentence: str) -> None:
    with pytest.raises(StartError) as refused:
        load_project(project(tmp_path, webhooks))
    assert sentence in refused.value.detail


def test_keys_that_nothing_is_done_about_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_project(project(tmp_path, {"mistyped": 1, "url": {"disable_loopback": True}}))
    named = {getattr(record, "key", None): record.message for record in caplog.records}
    assert named == {
        "webhooks.mistyped": "unknown key in langgraph.json",
        "webhooks.url.disable_loopback": "a key of langgraph.json has no effect here",
    }
