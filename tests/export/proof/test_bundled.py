"""Each bundled model against the bundled checkpoint that it was exported from."""

from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import onnx
import pytest

from retinagan.export.graph.edit import check_onnx
from retinagan.export.graph.source import model_spec
from retinagan.export.graph.torch_adapter import TorchAdapter
from retinagan.export.options import Changes
from retinagan.export.proof.bounds import BOUNDS
from retinagan.export.proof.images import ImageFolder
from retinagan.export.proof.noise import Patches, compare, noise_patches
from retinagan.runtime.engines import OnnxRuntimeAdapter
from retinagan.runtime.model.bundled import bundled_model, bundled_models
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.runtime.steps.patches import PatchGrid
from retinagan.runtime.steps.prepare import prepare
from retinagan.runtime.steps.segment import PatchBuffers, cut_patches
from retinagan.runtime.steps.timing import StageClock
from retinagan.train.checkpoints import find_checkpoint
from retinagan.train.nets.checkpoint import load_checkpoint

EXAMPLES = Path(__file__).parents[3] / "examples" / "images"


@pytest.fixture(scope="module", params=bundled_models())
def path(request):
    return bundled_model(request.param)


@pytest.fixture(scope="module")
def trained(path):
    return load_checkpoint(find_checkpoint(path.stem))


@pytest.fixture(scope="module")
def spec(path):
    return ModelSpec.load(spec_path(path))


def test_the_spec_is_the_checkpoints(path, trained, spec):
    exported = model_spec(trained, Changes(name=path.stem), path.stem)
    assert replace(spec, sha256="", scores={}, proof={}, confidence=None, tiling=exported.tiling) == exported


def test_the_spec_inside_is_the_one_beside(path, spec):
    model = onnx.load(path)
    check_onnx(model)
    inside = next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)
    assert ModelSpec.from_json(inside) == replace(
        spec, sha256="", scores={}, proof={}, confidence=None, map_threshold=None
    )


@pytest.mark.parametrize("side", [128, 512])
def test_gives_torchs_probability_on_the_examples(path, trained, spec, side):
    assert largest_difference(path, trained, spec, EXAMPLES, side) <= BOUNDS["fp32"].max_difference


def test_gives_torchs_probability_on_drive(path, trained, spec, drive):
    images = drive / "test" / "images"
    assert largest_difference(path, trained, spec, images, 512) <= BOUNDS["fp32"].max_difference


def largest_difference(path, trained, spec, folder, side):
    """Compare on two patches of a side of the first image of a folder, and on noise."""
    cut = replace(spec, tiling=replace(spec.tiling, patch=side))
    images = islice(ImageFolder(folder, "test"), 1)
    squares = (prepare(image.pixels, cut.preprocessing) for image in images)
    batches = (
        cut_patches(
            square,
            cut.network_input,
            PatchBuffers(PatchGrid.of(len(square.roi), cut.tiling)),
            StageClock(),
        )
        for square in squares
    )
    real = (Patches(batch.image[:2], batch.roi[:2]) for batch in batches)
    patches = chain(real, noise_patches(spec.network_input.divisor))
    with TorchAdapter(trained.generator, spec) as torch, OnnxRuntimeAdapter(path, spec) as bundled:
        return compare(torch, bundled, patches).largest
