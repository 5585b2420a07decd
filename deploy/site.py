"""Makes the documentation site whole: pages and files of the repository that lie outside of `docs/`.

The README is the home page instead of `docs/index.md`, which lists what the site shows at its side.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = PurePosixPath("docs")
FILES = PurePosixPath("files")  # in the site: what pages link to and is no page
PAGES = {  # by their place in the repository: their place in the site
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "CHANGELOG.md": "changelog.md",
}
ICON = ("api/holdfast/ui/icon.svg", "images/icon.svg")
LINK = re.compile(r"(\]\(|srcset=\"|src=\")(?![a-z]+:|#)([^)#\"\s]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds these pages, and each file that some page links to, to what is in `docs/`."""
    for source, place in PAGES.items():
        if known := files.get_file_from_path(place):
            files.remove(known)
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, ICON[1], abs_src_path=str(ROOT / ICON[0])))
    for page in files.documentation_pages():
        text = page.content_string
        for _, target in LINK.findall(text):
            place = place_of(target, source_of(page))
            if not files.get_file_from_path(place) and (ROOT / resolved(target, source_of(page))).is_file():
                given = str(ROOT / resolved(target, source_of(page)))
                files.append(File.generated(config, place, abs_src_path=given))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links between places in the repository into links between places in the site."""
    source, here = source_of(page.file), PurePosixPath(page.file.src_uri).parent

    def rewritten(link: re.Match[str]) -> str:
        place = place_of(link[2], source)
        return link[1] + relpath(place, str(here))

    return LINK.sub(rewritten, markdown)


def source_of(file: File) -> PurePosixPath:
    """Where a page is in the repository."""
    outside = {place: source for source, place in PAGES.items()}
    if file.src_uri.startswith(f"{FILES}/"):
        return PurePosixPath(file.src_uri).relative_to(FILES)
    return PurePosixPath(outside.get(file.src_uri, str(DOCS / file.src_uri)))


def resolved(target: str, source: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(normpath(source.parent / target))


def place_of(target: str, source: PurePosixPath) -> str:
    """Where in the site that is which a page links to."""
    found = resolved(target, source)
    if str(found) in PAGES:
        return PAGES[str(found)]
    if found == DOCS / "index.md":
        return PAGES["README.md"]
    if DOCS in found.parents:
        return str(found.relative_to(DOCS))
    return str(FILES / found.with_name(found.name.lstrip(".")))  # MkDocs leaves out what begins with a dot
