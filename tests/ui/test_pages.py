"""How the pages are served, and that they are part of what is installed."""

import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from holdfast.core import pages
from tests.gates import ROOT
from tests.servers import Live

UI = ROOT / "api" / "holdfast" / "ui"
FILES = [path for path in UI.rglob("*") if path.is_file()]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def test_every_page_comes_under_the_policy(server: Live) -> None:
    async with server.http() as http:
        for name in ("", *(f"/{path.relative_to(UI).as_posix()}" for path in FILES)):
            response = await http.get(f"/ui{name}")
            assert response.status_code == 200, name
            assert response.headers["content-security-policy"] == POLICY
            assert response.headers["x-content-type-options"] == "nosniff"
            unchanged = {"If-None-Match": response.headers["etag"]}
            assert (await http.get(f"/ui{name}", headers=unchanged)).status_code == 304
        assert (await http.get("/ui/chat.js")).headers["content-type"] == "text/javascript; charset=utf-8"


async def test_a_script_comes_small_and_without_its_comments(server: Live) -> None:
    source = (UI / "parts" / "decision.js").read_text()
    async with server.http() as http:
        packed = await http.get("/ui/parts/decision.js", headers={"Accept-Encoding": "gzip"})
        plain = await http.get("/ui/parts/decision.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "@param" in source
    assert "@param" not in plain.text
    cast = "/** @type {HTMLElement | null} */ ("  # a comment with code behind it
    assert 0 < source.count(cast) == plain.text.count(cast)
    assert len(plain.text.splitlines()) == len(source.splitlines())


async def test_the_chat_comes_in_one_script_and_what_is_seldom_needed_later(server: Live) -> None:
    async with server.http() as http:
        chat = (await http.get("/ui/chat.js")).text
        assert "customElements.define" in chat
        assert not re.search("^import ", chat, re.MULTILINE)
        later = re.findall(r'import\("./([^"]+)"\)', chat)
        assert "chat/rating.of-chat.js" in later
        for name in later:
            text = (await http.get(f"/ui/{name}")).text
            assert text.startswith("export default ({"), name
            assert "class Api" not in text  # what is there already is not sent again


def test_modules_that_import_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.js").write_text('import { two } from "./two.js";\nexport const one = 1;\n')
    (tmp_path / "two.js").write_text('import { one } from "./one.js";\nexport const two = 2;\n')
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="import each other"):
        pages.Bundle("one.js").texts()


def test_modules_are_written_in_the_one_form_that_is_packed() -> None:
    for path in UI.rglob("*.js"):
        text = path.read_text()
        for line in re.findall(r"^import .*$|^export .*$", text, re.MULTILINE):
            assert pages.IMPORT.match(line) or pages.EXPORT.match(line), f"{path.name}: {line}"


async def test_a_slash_at_the_end_leads_to_the_page(server: Live) -> None:
    async with server.http() as http:
        assert (await http.get("/ui/", follow_redirects=True)).content == (await http.get("/ui")).content


async def test_only_the_pages_are_served(server: Live) -> None:
    async with server.http() as http:
        for name in ("nothing.js", "..%2Fapp.py", "%2e%2e/app.py", "../app.py"):
            assert (await http.get(f"/ui/{name}")).status_code in (404, 307), name


async def test_a_browser_gets_the_page_at_the_root_and_a_probe_its_answer(server: Live) -> None:
    async with server.http() as http:
        page = await http.get("/", headers={"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.content == (await http.get("/ui/home")).content
        assert "Accept" in page.headers["vary"]
        assert (await http.get("/")).json() == {"ok": True, "services": {}}


def test_no_page_holds_a_script_or_a_style_of_its_own() -> None:
    for path in FILES:
        text = path.read_text()
        assert "innerHTML" not in text, path
        assert "insertAdjacentHTML" not in text, path
        assert "eval(" not in text, path
        if path.suffix == ".html":
            assert "style=" not in text, path
            assert not re.search(r"\son\w+=", text), path


def test_what_looks_like_a_comment_is_one() -> None:
    """The server leaves out lines that begin like a comment: none may stand inside of a text."""
    for path in FILES:
        if path.suffix == ".js":
            templates = re.findall(r"`[^`]*`", path.read_text())
            assert not [one for one in templates if "\n" in one], path


def test_the_pages_are_in_the_wheel() -> None:
    files = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"holdfast/ui/{path.relative_to(UI).as_posix()}" for path in FILES} <= files
    assert not [name for name in files if name.startswith("examples")]
