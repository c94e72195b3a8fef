import pytest
import torch

from retinagan.train.nets.discriminator import Discriminator, DiscriminatorConfig


def test_widths_of_the_paper_reduce_512_pixels_to_8():
    discriminator = Discriminator().eval()
    channels = [layer.out_channels for layer in discriminator.blocks if isinstance(layer, torch.nn.Conv2d)]
    assert channels == [32, 64, 128, 128, 256, 512]
    with torch.inference_mode():
        assert discriminator.blocks(torch.zeros(1, 2, 512, 512)).shape == (1, 512, 8, 8)


def test_one_logit_for_each_pair():
    discriminator = Discriminator(DiscriminatorConfig(((4, 8),))).eval()
    green, vessels = torch.randn(3, 1, 16, 16), torch.rand(3, 1, 16, 16)
    logits = discriminator(green, vessels)
    assert logits.shape == (3,)
    assert not torch.equal(logits, discriminator(green, 1 - vessels))
    assert not torch.equal(logits, discriminator(-green, vessels))


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"green has shape \(1, 3, 8, 8\).*expected \(N, 1, H, W\)"):
        Discriminator()(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8))
