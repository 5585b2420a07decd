"""The pages' files as browsers get them: small, and few.

The chat's script comes with all that it imports in it, each module in a scope of its own: one request instead
of a chain of them, and a fifth smaller, because what is packed together is packed better.
"""

import gzip
import hashlib
import posixpath
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "ui"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
NAMED = ("chat.js",)  # by pages of others too: what it imports is sent with it
KNOWN = "/* what is there */"
UNFINISHED = -1

# Whole lines only: a cast, `/** @type {X} */ (x)`, has code behind it.
COMMENT = re.compile(r"^ *(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)$", re.MULTILINE | re.DOTALL)
INDENTATION = re.compile(r"^ +", re.MULTILINE)
EMPTY = re.compile(r"\n+")
IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"(\.[^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function\*?) (\w+))", re.MULTILINE)
LATER = re.compile(r'\bimport\("(\.[^"]+)"\)')
REMARK = re.compile(r"/\*.*?\*/", re.DOTALL)
SPACE = re.compile(r"(?<=[{};:,]) +|^ +| +(?=[{}])|\n", re.MULTILINE)  # in a style sheet
STYLES = re.compile(r'^@import "([^"]+)";$', re.MULTILINE)


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
    texts = {name: text(name) for name in found}
    for entry in NAMED:
        texts.update(Bundle(entry).texts())
    return {name: pack(name, text) for name, text in texts.items()}


def pack(name: str, text: str) -> File:
    body = text.encode()
    etag = hashlib.sha256(body).hexdigest()[:16]
    return File(body, gzip.compress(body, 9, mtime=0), TYPES[Path(name).suffix], etag)


def text(name: str) -> str:
    match Path(name).suffix:
        case ".js":
            return script(name)
        case ".css":
            return SPACE.sub("", styles(name))
        case _:
            return source(name)


def source(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """A module without its comments; its lines stay, so that their numbers are those of the source."""
    bare = COMMENT.sub(lambda found: "\n" * found[0].count("\n"), source(name))
    return INDENTATION.sub("", bare)


def styles(name: str) -> str:
    """A style sheet with those that it imports in it."""
    return STYLES.sub(lambda found: styles(beside(name, found[1])), REMARK.sub("", source(name)))


def beside(name: str, address: str) -> str:
    """The file that another one names by a relative address."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))


def path_from(name: str, other: str) -> str:
    return "./" + posixpath.relpath(other, posixpath.dirname(name) or ".")


class Bundle:
    """A module with all that it imports, and a file more for each that it loads later.

    A module is a function that is called once and returns what it exports. What is loaded later is given the
    modules that are there already, so that none is sent or run twice.
    """

    def __init__(self, entry: str) -> None:
        self.entry = entry
        self.places: dict[str, int] = {}
        self.later: list[str] = []

    def texts(self) -> dict[str, str]:
        texts = {self.entry: self._scopes(self.entry, self.entry)}
        known = ", ".join(f"m{place}" for place in self.places.values())
        first = dict(self.places)
        for name in self.later:
            self.places = dict(first)
            served = self._served(name)
            scopes = self._scopes(name, served)
            given = ", ".join(f"m{place}" for place in first.values() if f"= m{place};" in scopes)
            texts[served] = (
                f"export default ({{ {given} }}) => {{\n{scopes}return m{self.places[name]};\n}};\n"
            )
        return {name: text.replace(KNOWN, known) for name, text in texts.items()}

    def _served(self, name: str) -> str:
        return f"{name.removesuffix('.js')}.of-{Path(self.entry).stem}.js"

    def _scopes(self, name: str, served: str) -> str:
        """The module, after those that it imports and that are not there yet."""
        if name in self.places:
            return ""
        self.places[name] = UNFINISHED
        text = script(name)
        before = "".join(self._scopes(beside(name, one[2]), served) for one in IMPORT.finditer(text))
        self.places[name] = len(self.places) - list(self.places.values()).count(UNFINISHED)
        return before + EMPTY.sub("\n", self._scope(name, text, served))

    def _scope(self, name: str, text: str, served: str) -> str:
        def take(found: re.Match[str]) -> str:
            place = self.places[beside(name, found[2])]
            if place == UNFINISHED:
                raise ValueError(f"{name} and {found[2]} import each other.")
            return f"const {{{found[1].replace(' as ', ': ')}}} = m{place};" if found[1] else ""

        def load(found: re.Match[str]) -> str:
            later = beside(name, found[1])
            if later not in self.later:
                self.later.append(later)
            address = path_from(served, self._served(later))
            return f'import("{address}").then((later) => later.default({{ {KNOWN} }}))'

        exported = ", ".join(EXPORT.findall(text))
        text = LATER.sub(load, EXPORT.sub("", IMPORT.sub(take, text)))
        here = f'new URL("{path_from(served, name)}", import.meta.url)'
        text = text.replace("import.meta.url", here)
        return f"const m{self.places[name]} = (() => {{\n{text}\nreturn {{ {exported} }};\n}})();\n"
