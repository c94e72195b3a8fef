"""Links of a Markdown page, pointed elsewhere: one text for the repository, a package index and a site."""

import posixpath
import re
from collections.abc import Callable

_CODE = re.compile(r"^```.*?^```[^\n]*\n?|^(?: {4}[^\n]*\n?)+", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"`[^`]*`|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<href>[^()\s]+)\)")

Target = Callable[[str, bool], str | None]
"""From a path below the repository's top, and whether it is an image, to a link; None if there is none."""


def relink(markdown: str, page: str, target: Target) -> str:
    """Point a page's relative links elsewhere.

    Code is left alone, and so are absolute links and those within the page.

    Parameters
    ----------
    markdown : str
        The page's text.
    page : str
        Its path below the repository's top, such as ``"docs/export.md"``.
    target : callable
        Gives the new link of a path. Where it gives None, a link keeps its text alone and an image is left
        out.

    Returns
    -------
    str
    """

    def new_link(match: re.Match[str]) -> str:
        href = match["href"]
        if href is None or href.startswith("#") or re.match(r"[a-z][a-z0-9+.-]*:", href):
            return match[0]
        name, sharp, fragment = href.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), name))
        link = target(path, bool(match["image"]))
        if link is None:
            return "" if match["image"] else match["text"]
        return f"{match['image']}[{match['text']}]({link}{sharp}{fragment})"

    pieces, end = [], 0
    for code in _CODE.finditer(markdown):
        pieces += [_LINK.sub(new_link, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, _LINK.sub(new_link, markdown[end:])])


def in_repository(repository: str) -> Target:
    """Give the absolute links of a repository's web view; none where its address is empty."""

    def target(path: str, image: bool) -> str | None:
        if not repository:
            return None
        return f"{repository.rstrip('/')}/{'raw' if image else 'blob'}/HEAD/{path}"

    return target


def project_urls(repository: str) -> dict[str, str]:
    """Give what the package's metadata says of where the project lives: nothing, if that is not known."""
    if not repository:
        return {}
    link = in_repository(repository)
    pages = {"Documentation": "docs/get-started.md", "Changelog": "CHANGELOG.md"}
    return {
        "Repository": repository,
        **{name: str(link(path, False)) for name, path in pages.items()},
        "Issues": f"{repository.rstrip('/')}/issues",
    }
