import argparse

import numpy as np
import pytest
from drawn_retina import drawn_retina
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import ModelError, OptionError
from retinagan.runtime.model.parameters import Preprocessing, Tiling
from retinagan.runtime.model.spec import spec_path
from retinagan.runtime.model_arguments import add_model_arguments, open_segmenter


@pytest.fixture
def model(tmp_path) -> str:
    return str(write_tiny_model(tmp_path))


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    return parser.parse_args(arguments)


def test_every_argument_arrives(model):
    options = parsed("--model", model, "--engine", "onnxruntime", "--device", "cpu", "--threads", "1")
    options.threshold, options.overlap = 0.25, 0.5
    assert options.pixels_per_degree is None
    with open_segmenter("retina-x", options) as segmenter:
        assert (segmenter.spec.threshold, segmenter.spec.tiling.overlap) == (0.25, 0.5)
        assert segmenter.engine.startswith("ONNX Runtime")


def test_frames_of_opencv_have_their_own_channel_order(model):
    image = drawn_retina(96, 100)[0]
    with (
        open_segmenter("retina-x", parsed("--model", model)) as rgb,
        open_segmenter("retina-x", parsed("--model", model), color="bgr") as bgr,
    ):
        expected, found = rgb(image), bgr(np.ascontiguousarray(image[..., ::-1]))
    np.testing.assert_array_equal(found.probability, expected.probability)


def test_warnings_are_lines_of_the_command(model, capsys):
    spec_path(model).unlink()
    options = parsed("--model", model, "--field-of-view", "30")
    open_segmenter("retina-x", options).close()
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("retina-x: warning: ")
    assert second == (
        "retina-x: warning: --field-of-view has no effect on maps: model tiny has a fixed working size of "
        "128 pixels"
    )
    open_segmenter("retina-x", options, quiet=True).close()
    assert capsys.readouterr().err == ""


def test_a_lower_density_arrives(tmp_path):
    preprocessing = Preprocessing("none", 5.0, pixels_per_degree=3.0)
    scaled = str(write_tiny_model(tmp_path, tiny_spec(preprocessing=preprocessing, tiling=Tiling(None))))
    with open_segmenter("retina-x", parsed("--model", scaled, "--pixels-per-degree", "2.5")) as segmenter:
        assert segmenter.spec.preprocessing.pixels_per_degree == 2.5
    with pytest.raises(OptionError, match=r"got 5; expected 0\.9 to 4\.5, around the 3 of model tiny"):
        open_segmenter("retina-x", parsed("--model", scaled, "--pixels-per-degree", "5"))


def test_a_model_that_is_not_there():
    with pytest.raises(ModelError, match="neither a model file nor a bundled model"):
        open_segmenter("retina-x", parsed("--model", "none.onnx"))
