import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from seams import border_ratio
from tiny_model import PATCH, WORKING_SIZE, tiny_spec, write_tiny_model

from retinagan.runtime import (
    EngineError,
    ImageError,
    ModelError,
    NoRetinaError,
    OptionError,
    Segmentation,
    Segmenter,
    UnverifiedModelWarning,
)
from retinagan.runtime.model import bundled
from retinagan.runtime.model.parameters import MapThreshold, Preprocessing, Tiling
from retinagan.runtime.model.spec import spec_path
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.threshold import Thresholding


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def segmenter(model):
    with Segmenter(model, threads=1) as segmenter:
        yield segmenter


def same(one: Segmentation, other: Segmentation) -> bool:
    names = ("probability", "vessels", "roi")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_vessels_of_a_frame_at_its_own_size(segmenter):
    image, lines = drawn_retina(180, 200)
    result = segmenter(image)
    assert result.probability.shape == result.vessels.shape == result.roi.shape == (180, 200)
    assert (result.probability.dtype, result.vessels.dtype, result.roi.dtype) == (np.float32, bool, bool)
    assert 0 <= result.probability.min() <= result.probability.max() <= 1
    assert not result.probability[~result.roi].any()
    np.testing.assert_array_equal(result.vessels, result.roi & (result.probability >= np.float32(0.5)))
    assert result.vessels[lines].mean() > 0.8
    assert result.vessels[~lines].mean() < 0.1


def test_seconds_by_stage(segmenter):
    seconds = segmenter(drawn_retina()[0]).seconds
    assert list(seconds) == ["roi", "crop", "equalize", "patches", "infer", "regroup"]
    assert min(seconds.values()) > 0
    with pytest.raises(TypeError):
        seconds["roi"] = 0


@pytest.mark.parametrize("shape", [(90, 80), (128, 128), (300, 700), (1201, 901)])
def test_frames_of_any_size(segmenter, shape):
    image, lines = drawn_retina(*shape)
    result = segmenter(image)
    assert result.probability.shape == shape
    assert result.probability[lines].mean() > 3 * result.probability[result.roi & ~lines].mean()


def test_orders_of_channels_and_depths_agree(model, segmenter):
    image, _ = drawn_retina()
    expected = segmenter(image)
    with Segmenter(model, color="bgr", threads=1) as bgr:
        assert same(bgr(np.ascontiguousarray(image[..., ::-1])), expected)
    deep = image.astype(np.uint16) << 8
    deep[image.argmax() // 3 // image.shape[1]] |= 1
    assert same(segmenter(deep), expected)
    grey = np.ascontiguousarray(image[..., 1])
    assert same(segmenter(grey), segmenter(np.stack([grey] * 3, axis=-1)))


def test_the_frame_stays_as_it_is(segmenter):
    image, _ = drawn_retina()
    kept = image.copy()
    segmenter(image)
    np.testing.assert_array_equal(image, kept)


def test_a_later_frame_leaves_earlier_results_alone(segmenter):
    first = segmenter(drawn_retina(150, 150)[0])
    kept = (first.probability.copy(), first.vessels.copy(), first.roi.copy())
    segmenter(drawn_retina(150, 150)[0][::-1].copy() // 2)
    for array, copy in zip((first.probability, first.vessels, first.roi), kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_each_map_has_its_own_threshold_by_the_specs_rule(tmp_path):
    model = write_tiny_model(tmp_path, tiny_spec(map_threshold=MapThreshold(1.0, 0.5)))
    image, _ = drawn_retina()
    with (
        Segmenter(model, threads=1) as own,
        Segmenter(model, threads=1, threshold="fixed") as fixed,
        Segmenter(model, threads=1, threshold=0.9) as other,
    ):
        for frame in (image, cv2.GaussianBlur(image, None, 1.5)):
            result = own(frame)
            assert result.threshold == Thresholding.of_spec(own.spec).of_map(result.probability)
            assert 0.25 <= result.threshold <= 0.75
            assert result.threshold != 0.5
            expected = result.roi & (result.probability >= np.float32(result.threshold))
            np.testing.assert_array_equal(result.vessels, expected)
        assert next(own.stream([image])).segmentation.threshold == own(image).threshold
        assert (fixed(image).threshold, other(image).threshold) == (0.5, 0.9)
        assert fixed.spec.map_threshold is other.spec.map_threshold is None
        assert other(image).confidence < own(image).confidence, "what 0.9 keeps of it"
        assert next(other.stream([image])).segmentation.confidence == other(image).confidence


def test_a_threshold_is_a_number_or_the_word_fixed(model):
    with pytest.raises(OptionError, match="threshold: got 'own'; expected a number from 0 to 1, or 'fixed'"):
        Segmenter(model, threshold="own")


def test_threshold_and_overlap_in_place_of_the_specs(model, segmenter):
    image, _ = drawn_retina()
    expected = segmenter(image)
    with Segmenter(model, threads=1, threshold=0.2, overlap=0.5) as other:
        result = other(image)
        assert (other.spec.threshold, other.spec.tiling) == (0.2, Tiling(PATCH, 0.5))
    np.testing.assert_array_equal(result.vessels, result.roi & (result.probability >= np.float32(0.2)))
    assert result.vessels.sum() > expected.vessels.sum()
    assert 0 < np.abs(result.probability - expected.probability).mean() < 0.02


def test_a_lower_density_in_place_of_the_specs(tmp_path):
    before = Preprocessing("none", 5.0, pixels_per_degree=3.0, size_multiple=8)
    path = write_tiny_model(tmp_path, tiny_spec(preprocessing=before, tiling=Tiling(None)))
    image, _ = drawn_retina()
    with Segmenter(path, threads=1, pixels_per_degree=2) as segmenter:
        result = segmenter(image)
        assert segmenter.spec.preprocessing == replace(before, pixels_per_degree=2.0)
        assert (result.working_size, result.field_of_view) == (96, 45.0)
        assert segmenter(image, 60).working_size == 120
        with segmenter.stream([image]) as stream:
            (streamed,) = stream
        assert same(streamed.segmentation, result)
    assert "coarse-scale" not in [doubt.code for doubt in result.warnings]
    with Segmenter(path, threads=1, pixels_per_degree=1.4) as segmenter:
        assert segmenter(image).warnings[0].code == "coarse-scale"
        with segmenter.stream([image]) as stream:
            assert next(stream).segmentation.warnings[0].code == "coarse-scale"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pixels_per_degree": 2}, OptionError, "got 2, but model tiny has a fixed working size of 128 pix"),
        ({"threshold": 1.5}, ModelError, "threshold: got 1.5; expected a number from 0 to 1"),
        ({"overlap": 0.95}, ModelError, "overlap: got 0.95; expected a number from 0 to 0.9"),
        ({"color": "gbr"}, ImageError, 'got color=\'gbr\'; expected "rgb" or "bgr"'),
        ({"device": "tpu"}, OptionError, 'device: got \'tpu\'; expected "auto", "cpu", "cuda" or "cuda:N"'),
        ({"engine": "torch"}, OptionError, 'engine: got \'torch\'; expected one of "auto", "onnxruntime"'),
        ({"threads": 0}, OptionError, "threads: got 0; expected a whole number from 1"),
    ],
)
def test_wrong_options(model, options, error, message):
    with pytest.raises(error, match=message):
        Segmenter(model, **options)


def test_wrong_frames(segmenter):
    with pytest.raises(ImageError, match=r"got dtype float64, shape \(64, 64, 3\)"):
        segmenter(np.zeros((64, 64, 3)))
    with pytest.raises(ImageError, match=r"got shape \(64, 64, 4\)"):
        segmenter(np.zeros((64, 64, 4), np.uint8))
    with pytest.raises(NoRetinaError):
        segmenter(np.zeros((64, 64, 3), np.uint8))


def test_it_says_which_engine_and_model_run(model):
    with Segmenter(model, device="cpu", engine="onnxruntime", threads=1) as segmenter:
        assert segmenter.engine.startswith("ONNX Runtime ")
        assert segmenter.engine.endswith(", CPUExecutionProvider")
        assert segmenter.engine_selection == ""
        assert segmenter.spec.name == "tiny"
        assert len(segmenter.spec.sha256) == 64


def test_it_says_why_it_took_the_engine_that_runs(segmenter):
    assert segmenter.engine_selection.startswith("auto: ")


def test_warmup_changes_no_result(segmenter):
    image, _ = drawn_retina()
    expected = segmenter(image)
    segmenter.warmup()
    assert same(segmenter(image), expected)


def test_a_closed_segmenter_raises(model):
    segmenter = Segmenter(model)
    segmenter.close()
    segmenter.close()
    with pytest.raises(EngineError, match='the engine of model "tiny" is closed; open the model again'):
        segmenter(drawn_retina()[0])
    with pytest.raises(EngineError, match="is closed"):
        segmenter.warmup()


def test_many_threads_get_the_bits_that_one_gets(segmenter):
    frames = [np.roll(drawn_retina(150, 160)[0], shift, axis=1) for shift in range(4)]
    alone = [segmenter(frame) for frame in frames]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(segmenter, frames * 4))
    assert all(same(one, other) for one, other in zip(alone * 4, together, strict=True))


def test_a_lone_onnx_file_runs_with_one_warning(tmp_path, segmenter):
    lone = write_tiny_model(tmp_path)
    spec_path(lone).unlink()
    with pytest.warns(UnverifiedModelWarning) as caught:
        other = Segmenter(lone, threads=1)
    assert len(caught) == 1
    image, _ = drawn_retina()
    assert same(other(image), segmenter(image))


def test_a_model_is_named_by_bundled_name_or_path(tmp_path, monkeypatch):
    write_tiny_model(tmp_path, tiny_spec(name="retina-gan", file="retina-gan.onnx"))
    monkeypatch.setattr(bundled, "_FOLDER", tmp_path)
    for model in (None, "retina-gan", str(tmp_path / "retina-gan.onnx")):
        with Segmenter(model) as segmenter:
            assert segmenter.spec.name == "retina-gan"
    with pytest.raises(
        ModelError,
        match='"u-net" is neither a model file nor a bundled model; bundled models: retina-gan',
    ):
        Segmenter("u-net")


def test_a_models_own_spec_is_used(tmp_path):
    spec = tiny_spec(preprocessing=Preprocessing("ace", 5.0, WORKING_SIZE), tiling=Tiling(WORKING_SIZE, 0.0))
    image, lines = drawn_retina()
    with Segmenter(write_tiny_model(tmp_path, spec), threads=1) as segmenter:
        result = segmenter(image)
    assert result.probability[lines].mean() > 3 * result.probability[result.roi & ~lines].mean()


def test_overlap_bounds_the_seams(model):
    image, _ = drawn_retina(180, 200, angles=())  # nothing to find but what the network's padding leaves
    ratios = {}
    for overlap in (0.0, 0.5):
        with Segmenter(model, threads=1, overlap=overlap) as segmenter:
            prepared = prepare(image, segmenter.spec.preprocessing)
            inner = cv2.erode(prepared.roi.astype(np.uint8), np.ones((9, 9))) > 0
            probability = prepared.crop.cut(segmenter(image).probability)
            ratios[overlap] = border_ratio(probability, PatchGrid(WORKING_SIZE, PATCH, overlap), inner)
    assert ratios[0.0] > 3
    assert ratios[0.5] < 2


def test_importing_the_runtime_loads_neither_torch_nor_an_engine():
    heavy = ("torch", "onnx", "onnxruntime", "openvino", "tensorrt", "pycuda")
    code = f"import sys, retinagan.runtime; print([m for m in {heavy} if m in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"


def test_segmenting_needs_no_torch(model):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx'), None))\n"
        "from retinagan.runtime import Segmenter; from drawn_retina import drawn_retina\n"
        f"print(Segmenter({str(model)!r}, threads=1)(drawn_retina()[0]).vessels.any())"
    )
    helpers = Path(__file__).parent.parent
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(helpers)!r})\n{code}"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.stderr) == ("True\n", "")
