import pytest
import torch
from torch.nn import functional

from retinagan.train.nets.config import MODELS, GeneratorConfig, generator_config
from retinagan.train.nets.generator import Generator, RecurrentLayer, parameter_count


def inputs(height=16, width=24, count=2):
    torch.manual_seed(1)
    return torch.randn(count, 3, height, width), (torch.rand(count, 1, height, width) < 0.8).float()


@pytest.mark.parametrize("model", MODELS)
def test_each_system_gives_a_logit_per_pixel(model):
    image, roi = inputs()
    assert Generator(generator_config(model))(image, roi).shape == (2, 1, 16, 24)


def test_default_size():
    assert 0.5e6 < parameter_count(Generator()) < 0.65e6


def test_recurrent_layer_follows_its_equation():
    torch.manual_seed(0)
    layer = RecurrentLayer(3, steps=2).train()
    x = torch.randn(4, 3, 8, 8)

    def normalised(values):
        mean = values.mean((0, 2, 3), keepdim=True)
        variance = values.var((0, 2, 3), keepdim=True, correction=0)
        return (values - mean) / torch.sqrt(variance + 1e-5)

    drive = normalised(functional.conv2d(x, layer.input_convolution.weight, padding=1))
    state = functional.relu(drive)
    for _ in range(2):
        recurrent = functional.conv2d(state, layer.state_convolution.weight, padding=1)
        state = functional.relu(drive + normalised(recurrent))
    torch.testing.assert_close(layer(x), state, rtol=1e-4, atol=1e-5)


def test_steps_keep_statistics_of_their_own():
    torch.manual_seed(0)
    layer = RecurrentLayer(3, steps=2)
    layer(torch.randn(4, 3, 8, 8))
    first, second = (norm.running_var for norm in layer.state_norms)
    assert not torch.equal(first, second)


def test_attention_hides_all_outside_the_retina():
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(widths=(4, 8))).eval()
    image, roi = inputs()
    logits = generator(image, roi)
    torch.testing.assert_close(logits[roi == 0], generator.head.bias.expand(int((roi == 0).sum())))
    assert logits[roi == 1].std() > 0


def test_without_attention_the_mask_changes_nothing():
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(widths=(4, 8), attention=False)).eval()
    image, roi = inputs()
    assert torch.equal(generator(image, roi), generator(image, torch.zeros_like(roi)))


def test_more_layers_and_steps_are_configs():
    one, two = GeneratorConfig(widths=(4, 8)), GeneratorConfig(widths=(4, 8), layers=2, steps=3)
    assert parameter_count(Generator(two)) > parameter_count(Generator(one))


def test_a_wrong_size_names_the_right_one():
    image, roi = inputs(20, 24)
    with pytest.raises(ValueError, match=r"20x24 pixels \(HxW\).*multiples of 8: pad it to 24x24"):
        Generator()(image, roi)


def test_wrong_shapes_are_named():
    image, roi = inputs()
    with pytest.raises(ValueError, match=r"image has shape \(2, 1, 16, 24\), expected \(N, 3, H, W\)"):
        Generator()(roi, roi)
    with pytest.raises(ValueError, match=r"roi has shape \(1, 1, 16, 24\), expected \(2, 1, 16, 24\)"):
        Generator()(image, roi[:1])


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("stem", [2, 4])
def test_a_stem_is_a_net_behind_a_pixel_unshuffle(stem, recurrent):
    """The strided first convolution and the shuffled head are those of a net on the coarser grid."""
    torch.manual_seed(0)
    net = Generator(GeneratorConfig(widths=(4, 8), stem=stem, recurrent=recurrent)).eval()
    first = net.encoder[0].projection if recurrent else net.encoder[0].layers[0]
    image = torch.randn(2, 3, 8 * stem, 4 * stem)
    coarse = functional.pixel_unshuffle(image, stem)  # channel c, row i, column j of a block: c s^2 + i s + j
    side = first.kernel_size[0] // stem
    weight = first.weight.reshape(-1, 3, side, stem, side, stem).permute(0, 1, 3, 5, 2, 4)
    expected = functional.conv2d(
        coarse, weight.reshape(len(weight), -1, side, side), first.bias, padding=side // 2
    )
    torch.testing.assert_close(first(image), expected, rtol=1e-5, atol=1e-5)
    roi = torch.ones(2, 1, 8 * stem, 4 * stem)
    assert net(image, roi).shape == (2, 1, 8 * stem, 4 * stem)
    assert net.config.divisor == 2 * stem


@pytest.mark.parametrize("stem", [1, 2, 4])
def test_outside_the_retina_the_answer_is_one_constant(stem):
    torch.manual_seed(0)
    net = Generator(GeneratorConfig(widths=(4, 8), stem=stem)).eval()
    image = torch.randn(1, 3, 32, 32)
    roi = torch.zeros(1, 1, 32, 32)
    roi[..., :8, 5:9] = 1.0
    logits = net(image, roi)
    reached = functional.max_pool2d(roi, stem).repeat_interleave(stem, 2).repeat_interleave(stem, 3) > 0
    assert (logits[~reached] == -2.0).all()
    whole = net(image, torch.ones_like(roi))
    torch.testing.assert_close(logits[roi > 0], whole[roi > 0])
