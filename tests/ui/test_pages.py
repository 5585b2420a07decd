"""How the pages are served, and that they are part of what is installed."""

import re

import pytest
from hatchling.builders.wheel import WheelBuilder

from holdfast.core import bundles
from holdfast.core.bundles import Bundle
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
        head = await http.head("/ui/chat.js")
        assert (head.status_code, head.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


async def test_a_script_comes_small_and_without_its_comments(server: Live) -> None:
    source = (UI / "parts" / "decision.js").read_text()
    async with server.http() as http:
        packed = await http.get("/ui/parts/decision.js", headers={"Accept-Encoding": "gzip"})
        plain = await http.get("/ui/parts/decision.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "/** @" in source
    assert "/** @" not in plain.text


async def test_the_chat_comes_in_one_script_and_what_is_seldom_needed_later(server: Live) -> None:
    async with server.http() as http:
        chat = (await http.get("/ui/chat.js")).text
        assert "customElements.define" in chat
        assert not re.search(r"\bimport\b(?!\(|\.meta)", chat)
        later = re.findall(r'import\("./([^"]+)"\)', chat)
        assert "chat/rating.of-chat.js" in later
        for name in later:
            text = (await http.get(f"/ui/{name}")).text
            assert text.startswith("export default(shared)=>{"), name
            assert "class Api" not in text  # what is there already is not sent again


async def test_the_other_pages_are_built_on_the_chats_script(server: Live) -> None:
    async with server.http() as http:
        for page in ("desk/desk.js", "home/page.js"):
            text = (await http.get(f"/ui/{page}")).text
            assert 'import{shared as below}from"../chat.js";' in text
            assert "class Api" not in text
        assert 'from"../parts/questions.of-chat.js"' in (await http.get("/ui/desk/desk.js")).text


def joined(**modules: str) -> dict[str, str]:
    return Bundle("entry.js", lambda path: modules[path.removesuffix(".js")]).files()


@pytest.mark.parametrize(
    ("modules", "problem"),
    [
        ({"entry": 'import "./one.js";\n', "one": 'import "./entry.js";\n'}, "imports entry.js"),
        ({"entry": 'import "./one.js";\nconst a = 1;\n', "one": "let a = 2;\n"}, "a would be defined twice"),
        (
            {"entry": 'void import("./one.js");\n', "one": "const a = 1;\nclass a {}\n"},
            "one.of-entry.js: a would",
        ),
    ],
)
def test_modules_that_cannot_be_joined_are_refused(modules: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        joined(**modules)


def test_a_file_that_is_loaded_later_takes_what_is_there() -> None:
    files = joined(
        entry='import { one } from "./one.js";\nconst { two } = await import("./two.js");\n',
        one="export const one = 1;\n",
        two='import { one } from "./one.js";\nimport { three } from "./three.js";\nexport const two = one;\n',
        three="export const three = 3;\n",
    )
    assert "const one = 1;" in files["entry.js"]
    assert "const one" not in files["two.of-entry.js"]
    assert "const { one } = shared;" in files["two.of-entry.js"]
    assert "return { three, two };" in files["two.of-entry.js"]


def test_modules_are_written_in_the_one_form_that_is_joined() -> None:
    for path in UI.rglob("*.js"):
        text = path.read_text()
        for line in re.findall(r"^import .*$|^export .*$", text, re.MULTILINE):
            assert bundles.IMPORT.match(line) or bundles.EXPORT.match(line), f"{path.name}: {line}"


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
    """They are taken out before the modules are joined: none may stand inside of a text."""
    for path in FILES:
        if path.suffix == ".js":
            quoted = re.findall(r"""`[^`]*`|"[^"\n]*"|'[^'\n]*'""", path.read_text())
            assert not [one for one in quoted if "/*" in one.replace("/** @type", "")], path


def test_no_template_stands_in_another() -> None:
    """The minifier would take spaces out of it."""
    for path in FILES:
        if path.suffix == ".js":
            assert not re.search(r"`[^`]*\$\{[^}`]*`", path.read_text()), path


def test_the_pages_are_in_the_wheel() -> None:
    files = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"holdfast/ui/{path.relative_to(UI).as_posix()}" for path in FILES} <= files
    assert not [name for name in files if name.startswith("examples")]
