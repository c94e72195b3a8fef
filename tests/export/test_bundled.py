"""The bundled model against the bundled checkpoint that it was exported from."""

from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import onnx
import pytest

from retinagan.export.bounds import BOUNDS
from retinagan.export.graph import check_onnx
from retinagan.export.image_sets import ImageFolder
from retinagan.export.options import Changes
from retinagan.export.parity import compare
from retinagan.export.patches import noise_patches, patches_of
from retinagan.export.source import model_spec
from retinagan.export.torch_adapter import TorchAdapter
from retinagan.runtime.adapters import OnnxRuntimeAdapter
from retinagan.runtime.bundled import bundled_model, bundled_models
from retinagan.runtime.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.train import checkpoints
from retinagan.train.checkpoint import load_checkpoint

pytestmark = pytest.mark.skipif(not bundled_models(), reason="no model is bundled")

EXAMPLES = Path(__file__).parents[2] / "examples" / "images"


@pytest.fixture(scope="module")
def trained():
    return load_checkpoint(Path(checkpoints.__file__).parent / f"{bundled_model().stem}.pt")


@pytest.fixture(scope="module")
def spec():
    return ModelSpec.load(spec_path(bundled_model()))


def test_the_spec_is_the_checkpoints(trained, spec):
    exported = model_spec(trained, Changes(), bundled_model().stem)
    assert replace(spec, sha256="", scores={}, proof={}, tiling=exported.tiling) == exported


def test_the_spec_inside_is_the_one_beside(spec):
    model = onnx.load(bundled_model())
    check_onnx(model)
    inside = next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)
    assert ModelSpec.from_json(inside) == replace(spec, sha256="", scores={}, proof={})


@pytest.mark.parametrize("side", [128, 512])
def test_gives_torchs_probability_on_the_examples(trained, spec, side):
    assert largest_difference(trained, spec, EXAMPLES, side) <= BOUNDS["fp32"].max_difference


def test_gives_torchs_probability_on_drive(trained, spec, drive):
    assert largest_difference(trained, spec, drive / "test" / "images", 512) <= BOUNDS["fp32"].max_difference


def largest_difference(trained, spec, folder, side):
    """Compare on the first image of a folder, cut into patches of a side, and on noise."""
    cut = replace(spec, tiling=replace(spec.tiling, patch=side))
    images = islice(ImageFolder(folder, "test"), 1)
    real = (patches_of(image.pixels, cut) for image in images)
    patches = chain(real, noise_patches(spec.network_input.divisor))
    with TorchAdapter(trained.generator, spec) as torch, OnnxRuntimeAdapter(bundled_model(), spec) as bundled:
        return compare(torch, bundled, patches).largest
