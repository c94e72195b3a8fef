"""Pages of the repository's top as pages of the site, and links that hold there. Run by mkdocs.yml."""

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from links import in_repository, relink  # noqa: E402

PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE-WEIGHTS.md": "license-weights.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
}
"""Pages outside docs/, and what they are called on the site."""

REPOSITORY = os.environ.get("RETINAGAN_REPOSITORY", "")
_FROM_THE_NETWORK = re.compile(
    r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link[^>]*rel=[\"']?(?:stylesheet|preconnect|icon)[^>]*href=[\"']?(?:https?:)?//[^>]*>"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's top, the licence and the examples' programs."""
    for path, name in PAGES.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text(encoding="utf-8")))
    for path in (ROOT / "LICENSE", *sorted((ROOT / "examples").glob("*.py"))):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, _on_the_site(name), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point each link at the site's page or file, else at the repository, if its address is known."""
    here = page.file.src_uri
    names = {name: path for path, name in PAGES.items()}

    def target(path: str, image: bool) -> str | None:
        name = _on_the_site(path)
        if files.get_file_from_path(name) is None:
            if not (ROOT / path).exists():
                raise PluginError(f"{names.get(here, f'docs/{here}')} links to {path}, which does not exist")
            return in_repository(REPOSITORY)(path, image)
        return posixpath.relpath(name, posixpath.dirname(here))

    return relink(markdown, names.get(here, f"docs/{here}"), target)


def on_post_build(config: MkDocsConfig, **_: Any) -> None:
    """Refuse a site whose pages would load anything from the network when they are read."""
    for path in Path(config.site_dir).rglob("*.html"):
        found = _FROM_THE_NETWORK.search(path.read_text(encoding="utf-8"))
        if found:
            raise PluginError(f"{path.name} loads from the network: {found[0]}")


def _on_the_site(path: str) -> str:
    if path == "LICENSE":
        return "LICENSE.txt"
    return PAGES.get(path, path.removeprefix("docs/"))
