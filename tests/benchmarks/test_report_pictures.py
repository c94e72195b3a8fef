import shutil
import sys
from pathlib import Path

import pytest
from browser import installed
from drawn_report import LARGE, PLAIN, write_images, write_report
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def take(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import report_pictures

    def take(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["report_pictures.py", *words, "--chromium", installed()])
        report_pictures.main()

    return take


def test_two_screenshots(take, tmp_path):
    installed()
    write_images(tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        if path.name not in (LARGE, *PLAIN):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    out = write_report(tmp_path)
    take(str(out), "--first", PLAIN[0], "--second", LARGE, "--into", str(tmp_path))
    light, dark = (Image.open(tmp_path / name) for name in ("report.jpg", "report-threshold.jpg"))
    assert light.size == dark.size == (1440, 900)
    assert min(light.getpixel((2, 890))) > 250
    assert max(dark.getpixel((2, 890))) < 40
    with pytest.raises(SystemExit, match="no image 'other' in this report"):
        take(str(out), "--first", "other", "--second", LARGE)
