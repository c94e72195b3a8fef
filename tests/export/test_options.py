from pathlib import Path

import pytest

from retinagan.export.options import MEANT_FOR, Changes, ExportOptions
from retinagan.runtime.errors import ModelError, RetinaGanError
from retinagan.runtime.model.parameters import Tiling


@pytest.mark.parametrize(
    ("changes", "tiling"),
    [
        (Changes(), Tiling(64, 0.25)),
        (Changes(patch=32), Tiling(32, 0.25)),
        (Changes(overlap=0.0), Tiling(64, 0.0)),
        (Changes(patch=128, overlap=0.5), Tiling(128, 0.5)),
    ],
)
def test_what_is_not_said_stays_as_it_is(changes, tiling):
    assert changes.tiling(Tiling(64, 0.25)) == tiling


def test_a_tiling_out_of_range_is_refused():
    with pytest.raises(ModelError, match=r"overlap: got 0\.95; expected a number from 0 to 0\.9"):
        Changes(overlap=0.95).tiling(Tiling(64, 0.25))


@pytest.mark.parametrize("precision", MEANT_FOR)
def test_int8_of_any_form_is_quantized(precision):
    options = ExportOptions(("fp32", precision), calibrate=Path("images"))
    assert options.quantized == precision.startswith("int8")


@pytest.mark.parametrize("precision", ["int8", "int8-onnxruntime"])
def test_int8_without_images(precision):
    message = (
        "INT8 needs images for its calibration: give a folder of 20 or more fundus images from the same "
        "camera with --calibrate"
    )
    with pytest.raises(RetinaGanError) as caught:
        ExportOptions(("fp16", precision))
    assert str(caught.value) == message
    assert not ExportOptions(("fp16",)).quantized
