"""The documentation as a site."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.gates import ROOT, project_files


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # strict: a link that leads nowhere fails it
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_it_and_found_from_its_side(site: Path) -> None:
    pages = {path.removeprefix("docs/") for path in project_files() if re.fullmatch(r"docs/[^/]+\.md", path)}
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = re.findall(r"[\w-]+\.md", str(settings["nav"]))
    assert pages <= set(listed)
    assert sorted(listed) == sorted(set(listed))
    assert {page.replace(".md", ".html") for page in pages} <= {path.name for path in site.iterdir()}


def test_its_home_is_the_readme(site: Path) -> None:
    home = (site / "index.html").read_text()
    assert "Quick start" in home
    assert 'src="images/home.png"' in home
    assert (site / "images" / "home.png").is_file()


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    loading = re.compile(r'<(?:script|img|link)[^>]*?(?:src|href)="(https?:[^"]+)')
    assert [url for page in site.glob("*.html") for url in loading.findall(page.read_text())] == []
