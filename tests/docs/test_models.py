from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("runtime/models", "train/checkpoints", "docs", "examples", "tests")


def test_each_file_over_a_mebibyte_has_its_reason():
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    large = [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.stat().st_size > 2**20
    ]
    assert large
    assert [name for name in large if f"`{name}`" not in page] == []
