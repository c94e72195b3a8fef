from pathlib import Path

import numpy as np
import pytest
from canon_eye import canon_eye
from small_dataset import write_dataset

from retinagan.runtime.retina.find import find_retina

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def doubts(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import doubts

    return doubts


def test_each_alteration_changes_the_picture_and_leaves_its_form(doubts):
    image = canon_eye().image
    disc = find_retina(image).disc
    for name, alter in doubts.ALTERATIONS.items():
        altered = alter(image, disc)
        assert (altered.shape, altered.dtype) == (image.shape, np.uint8)
        assert np.array_equal(altered, image) == (name == "none")


def test_the_warnings_of_each_alteration_are_counted(doubts, tmp_path, capsys):
    assert doubts.main([str(write_dataset(tmp_path / "drawn")), "--every", "2", "--of", "x 0.2"]) == 0
    assert capsys.readouterr().out == (
        "\ndrawn, 3 images\n\n| picture | doubted | warnings |\n| --- | ---: | --- |\n"
        "| none | 0 |  |\n| light x 0.2 | 3 | `few-grey-levels` 3 |\n"
    )
