"""Modules joined into few files: an entry with all that it imports, and one for each that it loads later.

All modules of a file share one scope, so no two may name a thing alike. One form of import and export is
read, the one in which the pages are written.
"""

import itertools
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

IMPORT = re.compile(r'^import (?:\{ ([\w, ]+) \} from )?"(\.[^"]+)";$', re.MULTILINE)
LATER = re.compile(r'\bimport\("(\.[^"]+)"\)')
EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function\*?) (\w+))", re.MULTILINE)
DEFINED = re.compile(
    r"^(?:export )?(?:async )?(?:class|const|let|function\*?) (\w+|\{[\w, ]*\})", re.MULTILINE
)


class Bundle:
    """What is served instead of the modules behind `entry`, whose own text stands last, so that it may await.

    A file that is loaded later is a function of all that is there already, so that nothing is sent or run
    twice; it gives what its modules export. A bundle `on` another one takes from the files of that one what
    it imports too. `source` gives the text of a module by its path.

    Raises ValueError for modules that cannot be joined.
    """

    def __init__(self, entry: str, source: Callable[[str], str], on: "Bundle | None" = None) -> None:
        self.entry = entry
        self._source = source
        self._below = on
        reached = self._reached(entry)
        given = set(on.modules) if on else set()
        self._taken = on.offers(reached) if on else {}
        given.update(*self._taken.values())
        self.modules: list[str] = [name for name in reached if name not in given]
        self._there = given | set(self.modules)
        self.later = dict(self._loads())

    def offers(self, wanted: Iterable[str]) -> dict[str, list[str]]:
        """Which of the modules are in files that are loaded later, by the names of those."""
        found = {name: [one for one in modules if one in wanted] for name, modules in self.later.items()}
        return {name: modules for name, modules in found.items() if modules}

    def files(self) -> dict[str, str]:
        """The text of each file, by its path."""
        files = {self.entry: self._first()}
        files |= {self.path_of(name): self._function(name) for name in self.later}
        for path, text in files.items():
            check_names(path, text)
        return files

    def path_of(self, later: str) -> str:
        """Where a module that is loaded later is served."""
        folder = self.entry.split("/")[0].removesuffix(".js")
        return f"{later.removesuffix('.js')}.of-{folder}.js"

    def exports(self, modules: Iterable[str]) -> list[str]:
        return [name for module in modules for name in EXPORT.findall(self._source(module))]

    def _reached(self, name: str, importing: tuple[str, ...] = ()) -> list[str]:
        """The module, after all that it imports."""
        if name in importing:
            raise ValueError(f"{' imports '.join(importing)} imports {name}")
        found = [one for other, _ in self._imports(name) for one in self._reached(other, (*importing, name))]
        return list(dict.fromkeys([*found, name]))

    def _imports(self, name: str) -> Iterator[tuple[str, list[str]]]:
        """Each module that is imported, with the names that are taken from it."""
        for found in IMPORT.finditer(self._source(name)):
            yield beside(name, found[2]), re.findall(r"\w+", found[1] or "")

    def _loads(self) -> Iterator[tuple[str, list[str]]]:
        looked_at = list(self.modules)
        known = set(self._below.later) if self._below else set()
        for module in looked_at:
            for found in LATER.finditer(self._source(module)):
                name = beside(module, found[1])
                if name not in known:
                    known.add(name)
                    modules = [one for one in self._reached(name) if one not in self._there]
                    looked_at += modules
                    yield name, modules

    def _first(self) -> str:
        *imported, entry = self.modules
        shared = self.exports(imported)
        head = ""
        if below := self._below:
            head = f'import {{ shared as below }} from "{path_from(self.entry, below.entry)}";\n'
            head += self._take(self.modules, below.modules, "below")
            mine = [*self.modules, *itertools.chain(*self.later.values())]
            for number, (name, modules) in enumerate(self._taken.items()):
                names = self._imported(mine, modules)
                head += f'import given{number} from "{path_from(self.entry, below.path_of(name))}";\n'
                head += f"const {{ {', '.join(names)} }} = given{number}(below);\n"
                shared += names
            wanted = self._imported(itertools.chain(*self.later.values()), self._there)
            shared = ["...below", *(name for name in shared if name in wanted)]
        own = "".join(self._plain(name, self.entry) for name in imported)
        given = f"export const shared = {{ {', '.join(shared)} }};\n"
        return f"{head}{own}{given}{self._plain(entry, self.entry)}"

    def _function(self, name: str) -> str:
        modules = self.later[name]
        text = "".join(self._plain(one, self.path_of(name)) for one in modules)
        taken = self._take(modules, self._there, "shared")
        result = ", ".join(self.exports(modules))
        return f"export default (shared) => {{\n{taken}{text}return {{ {result} }};\n}};\n"

    def _take(self, modules: Iterable[str], there: Iterable[str], whence: str) -> str:
        return f"const {{ {', '.join(self._imported(modules, there))} }} = {whence};\n"

    def _imported(self, modules: Iterable[str], there: Iterable[str]) -> dict[str, None]:
        """The names that modules import of those that are there."""
        imports = [found for module in modules for found in self._imports(module)]
        return dict.fromkeys(name for other, names in imports if other in there for name in names)

    def _plain(self, name: str, path: str) -> str:
        """A module as it stands in a file."""
        text = EXPORT.sub("", IMPORT.sub("", self._source(name)))
        text = LATER.sub(lambda found: self._load(beside(name, found[1]), path), text)
        if name == path:
            return text
        return text.replace("import.meta.url", f'new URL("{path_from(path, name)}", import.meta.url)')

    def _load(self, later: str, path: str) -> str:
        owner = self if later in self.later or not self._below else self._below
        return f'import("{path_from(path, owner.path_of(later))}").then((later) => later.default(shared))'


def check_names(path: str, text: str) -> None:
    names = Counter(name for found in DEFINED.findall(text) for name in re.findall(r"\w+", found))
    if twice := [name for name, times in names.items() if times > 1]:
        raise ValueError(f"{path}: {', '.join(twice)} would be defined twice")


def beside(name: str, address: str) -> str:
    """The file that another one names by a relative address."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))


def path_from(name: str, other: str) -> str:
    path = posixpath.relpath(other, posixpath.dirname(name) or ".")
    return path if path.startswith(".") else f"./{path}"
