import pytest

from retinagan.train.nets.config import GeneratorConfig, generator_config


@pytest.mark.parametrize(
    ("model", "recurrent", "attention"),
    [("gan", False, False), ("unet", False, False), ("ru-net", True, False), ("retina-gan", True, True)],
)
def test_systems_differ_as_in_the_paper(model, recurrent, attention):
    config = generator_config(model)
    assert (config.recurrent, config.attention) == (recurrent, attention)


@pytest.mark.parametrize("wrong", [{"widths": ()}, {"widths": (0, 4)}, {"steps": 0}, {"layers": 0}])
def test_impossible_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        GeneratorConfig(**wrong)


def test_an_unknown_system_is_named_with_the_known_ones():
    with pytest.raises(
        ValueError, match="unknown model 'vgg': expected one of gan, unet, ru-net, retina-gan"
    ):
        generator_config("vgg")


def test_an_unknown_stem_is_refused():
    with pytest.raises(ValueError, match="stem must be one of 1, 2, 4, got 3"):
        GeneratorConfig(stem=3)
