"""What the shop tells its customers: pages of Markdown, found by their words (BM25), section by section."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

# As usual for BM25: how soon a word said again counts no more, and how much longer sections are held back.
SATURATION, LENGTH = 1.2, 0.75
MOST_CHARS = 2_000  # of a section

# Words that say nothing of what is asked: on few pages each of them is rare, and would count for much.
_IDLE = re.compile(
    r"an?|about|and|any|are|as|at|be|by|can|could|d(o|id|oes)|for|from|ha(d|s|ve)|how|i|if|in|is|its?|me|much|my"
    r"|not|of|on|our?|or|so|some(thing)?|th(an|at|e|em|ere|ey|is)|to|us|was|we|wh(at|en|ere|ich|o|y)|will|with"
    r"|would|your?"
)

_FRONT_MATTER = re.compile(r"---[ \t]*\n((?:[\w-]+:.*\n)*)---[ \t]*\n")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$", re.MULTILINE)
_WORDS = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")


class KnowledgeInvalid(ValueError):
    """The folder cannot be read; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page under one heading. `language` is the folder that the page is in, `url` where customers
    can read it."""

    language: str
    page: str
    heading: str
    text: str
    url: str | None = None

    @property
    def name(self) -> str:
        return f"{self.page}: {self.heading}" if self.heading else self.page

    @property
    def key(self) -> str:
        """The same for the same words, wherever they are read."""
        return sha256(f"{self.language}\n{self.name}\n{self.text}".encode()).hexdigest()[:32]


class Knowledge:
    """The sections of some pages, by the words in them and by their keys."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self.sections = tuple(sections)
        self._by_key = {one.key: one for one in self.sections}
        self._words = [Counter(words(f"{one.name} {one.heading} {one.text}")) for one in self.sections]
        self._lengths = [found.total() for found in self._words]
        self._mean = sum(self._lengths) / max(1, len(self._lengths))
        self._spread = Counter(word for found in self._words for word in found)

    def search(self, query: str, language: str, limit: int = 3) -> list[Section]:
        """The sections in this language that fit best; none where no word of the query is in any."""
        wanted = set(words(query))
        scores = [
            (self._score(number, wanted), section)
            for number, section in enumerate(self.sections)
            if section.language == language
        ]
        scores.sort(key=lambda scored: -scored[0])
        return [section for score, section in scores[:limit] if score > 0]

    def named(self, keys: Iterable[str]) -> list[Section]:
        """The sections of these keys, those that there are."""
        return [self._by_key[key] for key in keys if key in self._by_key]

    def _score(self, number: int, wanted: set[str]) -> float:
        found, length = self._words[number], self._lengths[number] / self._mean
        damping = SATURATION * (1 - LENGTH + LENGTH * length)
        return sum(
            self._rarity(word) * found[word] * (SATURATION + 1) / (found[word] + damping)
            for word in wanted
            if word in found
        )

    def _rarity(self, word: str) -> float:
        spread = self._spread[word]
        return math.log(1 + (len(self.sections) - spread + 0.5) / (spread + 0.5))


def read_knowledge(folder: Path) -> Knowledge:
    """The pages `<language>/<name>.md` of a folder, as they are now. Raises KnowledgeInvalid."""
    if not folder.is_dir():
        raise KnowledgeInvalid(f"{folder} is no folder.")
    try:
        pages = [(path.parent.name, path, path.read_text("utf-8")) for path in sorted(folder.glob("*/*.md"))]
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeInvalid(f"{folder} cannot be read: {error}") from error
    return Knowledge(section for page in pages for section in sections_of(*page))


def sections_of(language: str, path: Path, text: str) -> Iterator[Section]:
    """A page is named by its first heading; each heading begins a section. Raises KnowledgeInvalid."""
    url, text = read_front_matter(path, text)
    headings = list(_HEADING.finditer(text))
    page = headings[0][2] if headings else path.stem
    starts = [0, *(heading.end() for heading in headings)]
    ends = [*(heading.start() for heading in headings), len(text)]
    names = ["", *(heading[2] for heading in headings)]
    for name, start, end in zip(names, starts, ends, strict=True):
        if said := text[start:end].strip():
            yield Section(language, page, "" if name == page else name, said[:MOST_CHARS], url)


def read_front_matter(path: Path, text: str) -> tuple[str | None, str]:
    """The `url` that a page begins with, if it does, and the page without it. Raises KnowledgeInvalid."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return None, text
    values = dict(line.split(":", 1) for line in found[1].splitlines())
    url = values.get("url", "").strip().strip("\"'")
    return check_url(path, url) if url else None, text[found.end() :]


def check_url(path: Path, url: str) -> str:
    """A page is shown to everybody under this address: nothing but a page of the web may be behind it."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "https" and parts.hostname and not parts.username
    except ValueError:
        fits = False
    if not fits or not url.isprintable() or " " in url or len(url) > MOST_CHARS:
        raise KnowledgeInvalid(
            f"{path}: url must be an address such as https://shop.example/page, not {url!r}."
        )
    return url


def words(text: str) -> Iterator[str]:
    """Words that say something, without their plural; Chinese, which has no blanks, in overlapping twos."""
    for run in _WORDS.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _IDLE.fullmatch(run):
            continue
        if not _HAN.match(run):
            yield run[:-1] if len(run) > 3 and run.endswith("s") else run
        elif len(run) == 1:
            yield run
        else:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
