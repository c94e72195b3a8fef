import copy
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from retinagan.export.graph import calibration
from retinagan.export.graph.calibration import (
    FEWEST_IMAGES,
    PATCHES_PER_IMAGE,
    calibrate,
    calibration_patches,
)
from retinagan.export.progress import StepLog
from retinagan.export.proof.images import ImageFolder
from retinagan.runtime.errors import ImageError, ModelError, OptionError
from retinagan.runtime.model.parameters import Tiling
from retinagan.runtime.model.spec import ModelSpec, spec_path

LOG = StepLog(io.StringIO())


@pytest.fixture(scope="module")
def model(tiny):
    return onnx.load(tiny)


@pytest.fixture(scope="module")
def spec(tiny):
    return ModelSpec.load(spec_path(tiny))


@pytest.fixture
def folder(dataset):
    return ImageFolder(dataset, "training")


def test_takes_the_patches_richest_and_poorest_in_vessels(model, spec, folder, tiny):
    found = calibrate(model, spec, folder, LOG)
    assert (found.images, found.patches, found.cached) == (4, 4 * PATCHES_PER_IMAGE, False)
    session = onnxruntime.InferenceSession(tiny, providers=["CPUExecutionProvider"])
    richest, poorest = [], []
    for image in folder:
        patches = calibration_patches(image.pixels, spec)
        assert patches.image.shape[2:] == (32, 32)  # a quarter of the working size
        probability = session.run(None, {"image": patches.image, "roi": patches.roi})[0]
        shares = sorted(
            float((part[roi > 0] >= 0.5).mean()) for part, roi in zip(probability, patches.roi, strict=True)
        )
        poorest += shares[:4]
        richest += shares[-4:]
    assert found.rich_share == pytest.approx(np.mean(richest))
    assert found.poor_share == pytest.approx(np.mean(poorest))
    assert found.rich_share > 1.3 * found.poor_share


def test_ranges_are_those_of_the_activations(model, spec, folder):
    found = calibrate(model, spec, folder, LOG)
    assert found.ranges.keys() == {
        *("image", "roi", "probability"),
        *(name for node in model.graph.node for name in node.output),
    }
    assert found.ranges["roi"] == (0.0, 1.0)
    low, high = found.ranges["features"]
    assert low < 0 < high
    assert found.ranges["active"] == (0.0, high)
    pixels = np.array([0, 255]) / 255
    lowest, highest = (pixels - spec.network_input.mean[0]) / spec.network_input.std[0]
    assert lowest <= found.ranges["image"][0] < found.ranges["image"][1] <= highest


def test_the_record_states_the_share(model, spec, folder):
    record = calibrate(model, spec, folder, LOG).record()
    assert record["rich_in_vessels"] == 0.5
    assert record["vessel_share_rich"] > record["vessel_share_poor"]


def test_the_same_again_comes_from_the_cache(model, spec, folder, monkeypatch, cache):
    first = calibrate(model, spec, folder, LOG)
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(calibration, "_measured", None)
    assert calibrate(model, spec, folder, LOG) == replace(first, cached=True)


def test_a_stale_cache_is_never_used(model, spec, dataset, tmp_path):
    images = shutil.copytree(dataset / "images", tmp_path / "images")
    folder = ImageFolder(images, "training")
    assert not calibrate(model, spec, folder, LOG).cached
    assert not calibrate(model, replace(spec, sha256="f" * 64), folder, LOG).cached
    shutil.copy(images / "0.png", images / "3.png")
    assert not calibrate(model, spec, folder, LOG).cached


@pytest.mark.parametrize(
    "change",
    [
        lambda values: "{",
        lambda values: "[]",
        lambda values: json.dumps({**values, "key": {}}),
        lambda values: json.dumps({**values, "ranges": {"image": 3}}),
        lambda values: json.dumps({**values, "surplus": 3}),
    ],
)
def test_a_damaged_cache_is_measured_anew(model, spec, folder, cache, change):
    first = calibrate(model, spec, folder, LOG)
    (path,) = cache.iterdir()
    path.write_text(change(json.loads(path.read_text())))
    assert calibrate(model, spec, folder, LOG) == first


def test_without_room_for_the_cache_the_calibration_is_as_good(model, spec, folder, cache):
    cache.parent.joinpath("retinagan").write_text("a file where the folder should be")
    assert not calibrate(model, spec, folder, LOG).cached


def test_too_few_images(model, spec, dataset):
    one = ImageFolder(dataset / "images" / "0.png", "training")
    with pytest.raises(OptionError, match=f"1 image for calibration; INT8 needs at least {FEWEST_IMAGES}"):
        calibrate(model, spec, one, LOG)


def test_an_image_without_retina_is_named(model, spec, dataset, tmp_path):
    images = shutil.copytree(dataset / "images", tmp_path / "images")
    Image.new("RGB", (100, 100)).save(images / "black.png")
    with pytest.raises(ImageError, match=r"black\.png: "):
        calibrate(model, spec, ImageFolder(images, "training"), LOG)


def test_a_small_working_square_gives_at_least_a_patch(model, spec, folder):
    small = replace(
        spec, preprocessing=replace(spec.preprocessing, working_size=32), tiling=Tiling(32), sha256="e" * 64
    )
    assert calibrate(model, small, folder, LOG).patches == 4 * PATCHES_PER_IMAGE


def test_a_model_whose_activations_overflow_cannot_be_calibrated(model, spec, folder):
    broken = copy.deepcopy(model)
    (bias,) = [tensor for tensor in broken.graph.initializer if tensor.name == "first_bias"]
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(4, np.nan, np.float32), bias.name))
    with pytest.raises(ModelError) as caught:
        calibrate(broken, spec, folder, LOG)
    assert str(caught.value) == "tiny: activations are NaN or infinite on the calibration images"
