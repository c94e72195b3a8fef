"""The example of a dataset's description on the training page is one that the trainer takes."""

import re
from pathlib import Path

from retinagan.train.data.description import FILE, read_description

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def test_the_description_of_a_dataset_is_read(tmp_path):
    example = re.search(r"^```json\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)[1]
    (tmp_path / FILE).write_text(example, encoding="utf-8")
    described = read_description(tmp_path)
    assert described.name == "our clinic's"
    assert described.terms == "CC BY-NC 4.0"
    assert (described.angle_of("eye01"), described.angle_of("wide_01")) == (45, 60)
    assert described.tests_with("91")
    assert not described.tests_with("19")
