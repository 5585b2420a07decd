"""What `make check` asks of the project's own files, beyond what ruff, mypy and import-linter know.

Each gate takes the files as a mapping of path to text and returns one sentence for each complaint.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Files = Mapping[str, str]
Gate = Callable[[Files], Iterator[str]]

MOST_LINES = 400
CODE = (".py", ".js", ".mjs", ".ts", ".css", ".html", ".lua", ".sh", ".sql")
LONGER: dict[str, str] = {}  # path: the reason why it may be longer

# Joined here, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("snapshot", "debian", "org"),
        ("crates", "io"),
    )
)
APT_SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
INDEX_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}/-])/(?:"  # absolute, and not the tail of a longer path or address
    r"work/\w|root/\w|(?:home|Users)/[a-z][\w.-]*/|opt/(?:wheels|pypi)|tmp/[\w.-]+/\.venv)"
)

BUSINESS_WORD = re.compile(r"refund|logistics|shipment", re.IGNORECASE)


def project_files(root: Path = ROOT) -> dict[str, str]:
    """Read every text file that git tracks or would track, by its path from the root."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=root, check=True, capture_output=True, text=True).stdout
    found = {}
    for name in filter(None, names.split("\0")):
        try:
            found[name] = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, a file deleted but not yet committed, a submodule
    return found


def short_files(files: Files, longer: Mapping[str, str] | None = None) -> Iterator[str]:
    """Hold code to 400 lines a file; an exception that is no longer needed is a complaint too."""
    exceptions = LONGER if longer is None else longer
    for path, text in files.items():
        lines = text.count("\n")
        if path.endswith(CODE) and lines > MOST_LINES and path not in exceptions:
            yield f"{path} has {lines} lines: split it, or list it in tests/gates.py with a reason"
    for path in exceptions:
        if files.get(path, "").count("\n") <= MOST_LINES:
            yield f"{path} is listed in tests/gates.py as a long file but is not one"


def no_registry(files: Files) -> Iterator[str]:
    """Keep the addresses of package registries and of this machine's mirrors out of every file."""
    hosts = sorted({*REGISTRIES, *configured_hosts()})
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(host)}(?![\w-])" for host in hosts))
    yield from _matches(files, pattern, "names a package registry")


def no_machine_path(files: Files) -> Iterator[str]:
    """Keep paths out that exist on one person's machine only."""
    yield from _matches(files, MACHINE_PATH, "names a path of one machine")


def platform_without_business(files: Files) -> Iterator[str]:
    """Keep the business's words out of the platform, which serves any graph."""
    platform = {path: text for path, text in files.items() if path.startswith("api/holdfast/")}
    yield from _matches(platform, BUSINESS_WORD, "is the platform and knows a word of the business")


def configured_hosts() -> set[str]:
    """Find the hosts that apt, pip and uv are set up with here, as they are what leaks by accident."""
    texts = [os.environ.get(name, "") for name in INDEX_SETTINGS]
    for source in map(Path, APT_SOURCES):
        paths = source.glob("*.*") if source.is_dir() else [source]
        texts += [path.read_text(errors="replace") for path in paths if path.is_file()]
    return set(re.findall(r"https?://(?:[^/@\s]*@)?([\w-]+(?:\.[\w-]+)+)", "\n".join(texts)))


def _matches(files: Files, pattern: re.Pattern[str], complaint: str) -> Iterator[str]:
    for path, text in files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if match := pattern.search(line):
                yield f"{path}:{number} {complaint}: {match.group()}"


GATES: tuple[Gate, ...] = (short_files, no_registry, no_machine_path, platform_without_business)


def complaints(files: Files) -> list[str]:
    return [complaint for gate in GATES for complaint in gate(files)]


if __name__ == "__main__":
    found = complaints(project_files())
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(1 if found else 0)
