"""What the page on cameras says of options, exit codes and limits is what `retina-watch` does."""

import re
from pathlib import Path

import pytest

from retinagan.runtime.camera import cli, page, sources, video


@pytest.fixture(scope="module")
def text() -> str:
    written = (Path(__file__).parents[2] / "docs" / "watch.md").read_text(encoding="utf-8")
    return " ".join(written.split())


def test_the_exit_codes_are_those_of_the_command(text):
    table = text.partition("| exit code | |")[2]
    listed = ", ".join(re.findall(r"\| ([\d, ]+) \|", table)).split(", ")
    assert listed == re.findall(r"\b\d+\b", cli._EPILOG.partition("exit code:")[2])


def test_numbers_are_those_of_the_code(text):
    assert f"Up to {page._VIEWERS} viewers are served" in text
    assert f"sends nothing for {sources._TIMEOUT // 1000} seconds, is tried again after 1 second" in text
    assert f"up to {sources._LONGEST_PAUSE:g} seconds, until it is back" in text
    assert f"**A video of a camera** has {cli._RATE:g} pictures a second" in text
    assert f"Gaps of more than {video._LONGEST_GAP:g} seconds are cut" in text
    assert sources._FIRST_PAUSE == 1.0


def test_every_extension_of_a_video_is_named(text):
    assert set(re.findall(r"`(\.\w+)` \(", text)) == set(video.CODECS)
