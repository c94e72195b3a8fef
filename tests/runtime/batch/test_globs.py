from pathlib import Path

import pytest

from retinagan.runtime.batch.globs import first_pattern, has_wildcard, matches_of


@pytest.mark.parametrize(
    ("text", "expected"), [("eye.png", False), ("*.png", True), ("eye?.png", True), ("eye[12].png", True)]
)
def test_what_is_a_pattern(text, expected):
    assert has_wildcard(text) == expected


def test_the_first_part_that_is_a_pattern():
    assert first_pattern(("clinic", "*", "eye?.png")) == 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.png", ["in/a.png", "in/b.png"]),
        ("in/**/*.png", ["in/a.png", "in/b.png", "in/sub/c.png"]),
        ("in/.*.png", ["in/.d.png"]),
        ("in/*/x.png", []),
    ],
)
def test_hidden_files_match_only_where_the_pattern_names_them(tmp_path, monkeypatch, pattern, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "sub/c.png", ".d.png", ".hidden/e.png"):
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert matches_of(pattern) == (Path("in"), expected)
