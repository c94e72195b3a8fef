import pytest
import torch
from torch import nn

from retinagan.train.nets.memory import arranged, laid_out


@pytest.mark.parametrize(("precision", "channels_last"), [("fp32", False), ("bf16", True), ("fp16", True)])
def test_channels_stand_last_in_16_bits_alone(precision, channels_last):
    net = laid_out(nn.Conv2d(3, 4, 3), precision)
    images = arranged(torch.rand(2, 3, 8, 8), precision)
    for values in (net.weight, images):
        assert values.is_contiguous(memory_format=torch.channels_last) is channels_last


def test_the_values_stay():
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(arranged(images, "bf16"), images)
