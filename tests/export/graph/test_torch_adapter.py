from dataclasses import replace

import numpy as np
import pytest
import torch
from adapter_contract import patches
from tiny_model import tiny_spec

from retinagan.export.graph.torch_adapter import TorchAdapter
from retinagan.runtime.errors import EngineError, ImageError
from retinagan.runtime.model.parameters import NetworkInput


@pytest.fixture
def adapter(generator):
    spec = replace(tiny_spec(), network_input=NetworkInput(divisor=generator.config.divisor))
    with TorchAdapter(generator, spec) as adapter:
        yield adapter


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96)])
def test_gives_the_generators_probability(adapter, generator, height, width):
    image, roi = patches(3, height, width)
    with torch.no_grad():
        expected = torch.sigmoid(generator(torch.from_numpy(image), torch.from_numpy(roi))).numpy()
    found = adapter.infer(image, roi)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_says_what_it_runs_on(adapter):
    assert adapter.description == f"torch {torch.__version__}, CPU"


def test_is_held_to_the_contract_of_engines(adapter):
    image, roi = patches(1)
    with pytest.raises(ImageError, match="image: got"):
        adapter.infer(image[0], roi)
    adapter.close()
    with pytest.raises(EngineError, match='the engine of model "tiny" is closed'):
        adapter.infer(image, roi)


def test_closing_leaves_the_generator_to_its_owner(adapter, generator):
    adapter.close()
    assert torch.isfinite(generator(*map(torch.from_numpy, patches(1)))).all()
