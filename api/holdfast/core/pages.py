"""The pages' files as browsers get them: small, and few.

The chat's script comes with all that it imports in it: one request instead of a chain of them, and a third
smaller. The other pages are built on it.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rjsmin import jsmin

from holdfast.core.bundles import Bundle

FOLDER = Path(__file__).parent.parent / "ui"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
WIDGET = "chat.js"
PAGES = ("desk/desk.js", "home/page.js")

REMARK = re.compile(r"/\*.*?\*/", re.DOTALL)
BETWEEN = re.compile(r"(?<=>)\s+(?=<)")  # elements
SPACE = re.compile(r"(?<=[{};:,]) +|^ +| +(?=[{}])|;?\s*(?=})|\n", re.MULTILINE)  # in a style sheet


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    packed: bytes
    media_type: str
    etag: str


@cache
def files() -> dict[str, File]:
    """The pages and what they load, by their path."""
    found = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.suffix in TYPES]
    texts = {name: source(name) for name in found}
    widget = Bundle(WIDGET, code)
    for bundle in (widget, *(Bundle(page, code, on=widget) for page in PAGES)):
        texts.update(bundle.files())
    return {name: pack(name, text) for name, text in texts.items()}


def source(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def code(name: str) -> str:
    return REMARK.sub("", source(name))


def pack(name: str, text: str) -> File:
    kind = Path(name).suffix
    body = _small(kind, text).encode()
    etag = hashlib.sha256(body).hexdigest()[:16]
    return File(body, gzip.compress(body, 9, mtime=0), TYPES[kind], etag)


def _small(kind: str, text: str) -> str:
    match kind:
        case ".js":
            return str(jsmin(text))
        case ".css":
            return SPACE.sub("", REMARK.sub("", text))
        case ".html":
            return BETWEEN.sub("", text)
        case _:
            return text
