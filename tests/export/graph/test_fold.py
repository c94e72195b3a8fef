import copy

import pytest
import torch
from small_checkpoint import disturb_batch_norm, small_generator
from torch import nn

from retinagan.export.graph.fold import fold_batch_norm
from retinagan.runtime.errors import ModelError

CONFIGS = {
    "recurrent": {},
    "two layers, three steps": {"layers": 2, "steps": 3},
    "plain": {"recurrent": False, "attention": False},
    "three scales": {"widths": (4, 6, 8)},
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_folded_generator_computes_the_same(config):
    generator = small_generator(**config).double()
    random = torch.Generator().manual_seed(1)
    image = torch.randn(2, 3, 16, 24, generator=random, dtype=torch.float64)
    roi = (torch.rand(2, 1, 16, 24, generator=random) < 0.7).double()
    folded = fold_batch_norm(generator)
    with torch.no_grad():
        torch.testing.assert_close(folded(image, roi), generator(image, roi), rtol=0, atol=1e-12)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not folded.training


def test_float32_loses_its_rounding_alone(generator):
    image, roi = (
        torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(2)),
        torch.ones(1, 1, 16, 16),
    )
    with torch.no_grad():
        torch.testing.assert_close(
            fold_batch_norm(generator)(image, roi), generator(image, roi), rtol=0, atol=2e-6
        )


def test_each_time_step_gets_its_own_convolution(generator):
    layer = generator.encoder[0].layers[0]
    folded = fold_batch_norm(generator).encoder[0].layers[0]
    assert {name for name, _ in folded.named_children()} == {
        "input_convolution",
        "state_convolution_step0",
        "state_convolution_step1",
    }
    for step, norm in enumerate(layer.state_norms):
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = folded.get_submodule(f"state_convolution_step{step}").weight
        torch.testing.assert_close(weight, layer.state_convolution.weight * factor[:, None, None, None])


def test_the_given_network_is_left_alone(generator):
    before = copy.deepcopy(generator.state_dict())
    fold_batch_norm(generator)
    torch.testing.assert_close(generator.state_dict(), before, rtol=0, atol=0)
    assert any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())


def test_a_network_that_is_one_traceable_module():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 2, 2), nn.BatchNorm2d(2)
    )
    disturb_batch_norm(network)
    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    folded = fold_batch_norm(network.eval())
    with torch.no_grad():
        torch.testing.assert_close(folded(image), network(image), rtol=0, atol=1e-5)


def test_a_network_without_batch_norm():
    network = nn.Conv2d(1, 1, 1).eval()
    torch.testing.assert_close(fold_batch_norm(network).weight, network.weight)


def test_training_mode_is_refused(generator):
    with pytest.raises(ModelError, match=r"got a network in training mode; .* call \.eval\(\) first"):
        fold_batch_norm(copy.deepcopy(generator).train())


class ConvolutionUsedTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.convolution(x)
        return x + self.norm(x)


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3))), r"1\.1"),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)), "0"),
        (nn.ModuleDict({"part": ConvolutionUsedTwice()}), r"part\.norm"),
    ],
)
def test_a_batch_norm_that_follows_no_convolution_is_named(network, name):
    with pytest.raises(
        ModelError, match=f"the BatchNorm {name} .* cannot be folded: place it directly after a conv"
    ):
        fold_batch_norm(network.eval())


def test_a_batch_norm_without_statistics():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(
        ModelError, match="without running statistics cannot be folded: use track_running_stats"
    ):
        fold_batch_norm(network.eval())
