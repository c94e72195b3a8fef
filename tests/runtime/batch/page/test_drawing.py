from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from retinagan.runtime.batch.encoding import PictureError
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.page.drawing import Drawing, is_drawn
from retinagan.runtime.batch.page.pictures import threshold_level
from retinagan.runtime.segmenter import Segmentation


@pytest.fixture
def folder(tmp_path):
    with OutputFolder(tmp_path / "out") as folder:
        yield folder


def drawing(folder, *, failed=False) -> Drawing:
    image = np.full((30, 40, 3), 80, np.uint8)
    probability = np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)
    result = Segmentation(probability, probability >= 0.5, np.ones((30, 40), bool), {})
    return Drawing(folder, "report/ab", image, None if failed else result)


def files(folder) -> list[str]:
    return sorted(path.name for path in (folder.path / "report" / "ab").iterdir())


def test_the_thumbnail_comes_last(folder):
    drawn = drawing(folder)
    photograph, probability = drawn.parts()
    photograph()
    assert files(folder) == ["0_0_0_photograph.webp"]
    probability()
    assert not is_drawn(folder, "report/ab")
    drawn.finish()
    assert is_drawn(folder, "report/ab")
    assert files(folder) == ["0_0_0_map.webp", "0_0_0_photograph.webp", "small_thumbnail.webp"]


def test_the_map_is_exact_at_its_own_threshold(folder):
    drawn = drawing(folder)
    result = replace(drawn.result, vessels=drawn.result.probability >= 0.2995, threshold=0.2995)
    replace(drawn, result=result).parts()[1]()
    levels = np.array(Image.open(folder.path / "report" / "ab" / "0_0_0_map.webp").convert("L"))
    np.testing.assert_array_equal(levels >= threshold_level(0.2995), result.vessels)


def test_an_image_that_failed_has_no_map(folder):
    drawn = drawing(folder, failed=True)
    for part in drawn.parts():
        part()
    drawn.finish()
    assert files(folder) == ["0_0_0_photograph.webp", "small_thumbnail.webp"]


def test_a_file_of_another_program_is_not_replaced(folder):
    taken = folder.path / "report" / "ab" / "0_0_0_map.webp"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"someone's")
    with pytest.raises(
        PictureError, match=r"'report/ab/0_0_0_map\.webp' exists in the output folder and is not"
    ):
        drawing(folder).parts()[1]()
    assert taken.read_bytes() == b"someone's"
