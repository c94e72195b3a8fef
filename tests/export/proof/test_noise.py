import numpy as np
import pytest
import torch

from retinagan.export.graph.torch_adapter import TorchAdapter
from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.noise import Difference, Patches, compare, noise_patches
from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.errors import EngineError
from retinagan.runtime.model.parameters import NetworkInput
from retinagan.runtime.model.spec import ModelSpec

SPEC = ModelSpec("small", "small.onnx", "fp32", 0.5, network_input=NetworkInput(divisor=2))


class Constant(EngineAdapter):
    """Gives one probability inside the ROI and another outside."""

    def __init__(self, inside, outside=0.0):
        self._values = inside, outside
        super().__init__(SPEC, f"constant {inside}")

    def _run(self, image, roi, out):
        np.copyto(out, np.where(roi > 0, *np.float32(self._values)))

    def _close(self):
        pass


def test_torch_adapter_gives_the_generators_probability(generator):
    batch = next(noise_patches(2))
    with TorchAdapter(generator, SPEC) as adapter:
        probability = adapter.infer(batch.image, batch.roi)
    with torch.no_grad():
        logits = generator(torch.from_numpy(batch.image), torch.from_numpy(batch.roi))
    np.testing.assert_array_equal(probability, torch.sigmoid(logits).numpy())
    assert adapter.description == f"torch {torch.__version__}, CPU"
    with pytest.raises(EngineError, match="is closed"):
        adapter.infer(batch.image, batch.roi)


def test_differences_of_a_model_from_itself_are_zero(generator):
    with TorchAdapter(generator, SPEC) as adapter:
        assert compare(adapter, adapter, noise_patches(2)) == Difference(0.0, 0.0, 4)


def test_the_largest_counts_everywhere_and_the_mean_inside():
    roi = np.zeros((2, 1, 2, 2), np.float32)
    roi[0, 0, 0, 0] = roi[1, 0, :, 0] = 1
    batches = [Patches(np.zeros((1, 3, 2, 2), np.float32), roi[index : index + 1]) for index in range(2)]
    difference = compare(Constant(0.5, 1.0), Constant(0.25, 0.0), batches)
    assert difference == Difference(largest=1.0, mean=0.25, patches=2)


def test_no_patch_at_all():
    assert compare(Constant(0.5), Constant(0.5), []) == Difference(0.0, 0.0, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("first", [True, False])
def test_values_that_are_no_numbers(value, first):
    pair = (Constant(value), Constant(0.5)) if first else (Constant(0.5), Constant(value))
    with pytest.raises(
        ParityError, match=f"constant {value} returns NaN or infinity on patches of .* diverged"
    ):
        compare(*pair, noise_patches(2))


def test_noise_patches_fit_the_divisor_and_no_image():
    batches = list(noise_patches(16))
    assert {batch.image.shape[0] for batch in batches} == {1, 3}
    for batch in batches:
        count, _, height, width = batch.image.shape
        assert batch.roi.shape == (count, 1, height, width)
        assert height != width
        assert height % 16 == width % 16 == 0
        assert set(np.unique(batch.roi)) == {0.0, 1.0}
