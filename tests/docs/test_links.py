"""Links of the pages: pointed elsewhere for a package index and the site, and none that leads nowhere."""

import re
from pathlib import Path

import links
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples" / "README.md"])
ADDRESS = "https://example.org/group/project"


def upper(path, image):
    """Point every link at its path in capitals."""
    return path.upper()


def slug(heading: str) -> str:
    """Give a heading's anchor, as the repository's host and the site make it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")


def test_a_relative_link_is_resolved_from_its_page_and_keeps_its_fragment():
    given = links.relink("see [the\ntable](../a/b.md#c) here", "docs/page.md", upper)
    assert given == "see [the\ntable](A/B.MD#c) here"


def test_an_image_is_told_from_a_link():
    def kind(path, image):
        return "image" if image else "link"

    assert links.relink("![x](a.png) [x](a.png)", "README.md", kind) == "![x](image) [x](link)"


def test_without_a_target_a_link_keeps_its_text_and_an_image_goes():
    text = "a [`b` c](d.md#e) f ![g](h.png) i"
    assert links.relink(text, "README.md", lambda path, image: None) == "a `b` c f  i"


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://example.org/b)",
        "[a](#b)",
        "`[a](b)`",
        "```\n[a](b)\n```\n",
        "    [a](b)\n",
        "x[0](no link)",
    ],
)
def test_what_is_absolute_within_the_page_or_code_stays(text):
    assert links.relink(text, "README.md", upper) == text


def test_links_after_code_are_changed():
    assert links.relink("```\n[a](b)\n```\n[a](b)\n", "README.md", upper) == "```\n[a](b)\n```\n[a](B)\n"


def test_the_readme_of_a_package_index_leads_into_the_repository():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    given = links.relink(readme, "README.md", links.in_repository(f"{ADDRESS}/"))
    targets = re.findall(r"\]\(([^)\s]+)\)", given)
    assert len(targets) > 10
    assert all(target.startswith((f"{ADDRESS}/blob/HEAD/", f"{ADDRESS}/raw/HEAD/")) for target in targets)
    assert f"{ADDRESS}/raw/HEAD/docs/images/real_eye.jpg" in targets


def test_the_readme_of_a_package_index_without_an_address_has_no_link_that_leads_nowhere():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    given = links.relink(readme, "README.md", links.in_repository(""))
    assert re.findall(r"\]\((?!https?:)[^)\s]+\)", given) == []
    assert "Apache License 2.0" in given


def test_the_projects_addresses_are_those_of_its_repository():
    assert links.project_urls("") == {}
    found = links.project_urls(ADDRESS)
    assert found["Repository"] == ADDRESS
    assert found["Changelog"] == f"{ADDRESS}/blob/HEAD/CHANGELOG.md"
    assert found["Issues"] == f"{ADDRESS}/issues"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading(page):
    broken = []

    def check(path, image):
        if not (ROOT / path).exists():
            broken.append(path)
        return path

    relinked = links.relink(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix(), check)
    assert broken == []
    for path, anchor in re.findall(r"\]\(((?:(?!https?:)[^)#\s])*)#([^)\s]+)\)", relinked):
        target = ROOT / path if path else page
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in map(slug, headings), f"{page.name} links to #{anchor} of {target.name}"
