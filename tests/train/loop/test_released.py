"""The checkpoints that come with the package."""

import pytest
import torch

from retinagan.train.checkpoints import bundled_checkpoints, find_checkpoint
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.nets.config import GeneratorConfig
from retinagan.train.nets.generator import parameter_count


@pytest.fixture(scope="module", params=bundled_checkpoints())
def released(request):
    return load_checkpoint(find_checkpoint(request.param))


def test_the_one_of_the_papers_protocol_is_the_papers_system():
    released = load_checkpoint(find_checkpoint("retina-gan-drive"))
    assert released.generator.config == GeneratorConfig()
    assert parameter_count(released.generator) < 1.1e6
    assert released.discriminator is not None


def test_the_default_knows_scale_and_blocks_of_pixels():
    released = load_checkpoint(find_checkpoint("retina-gan"))
    assert released.generator.config == GeneratorConfig(widths=(24, 48, 96), stem=2)
    assert released.preprocessing.pixels_per_degree == 26.0
    assert "DRIVE" not in released.record["data"]


def test_the_small_one_learned_from_the_default():
    released = load_checkpoint(find_checkpoint("retina-gan-small"))
    assert released.generator.config == GeneratorConfig(widths=(24, 48, 96), steps=1, stem=4)
    assert released.record["options"]["teacher"] == "retina-gan"


def test_the_one_for_research_goes_on_from_the_default():
    released = load_checkpoint(find_checkpoint("retina-gan-research"))
    assert released.generator.config == GeneratorConfig(widths=(24, 48, 96), stem=2)
    assert released.record["options"]["init"] == "retina-gan"


def test_it_says_what_it_learned_from(released):
    record = released.record
    if record["data"] == "DRIVE":
        assert record["training_images"] == [f"{number}_training" for number in range(21, 41)]
        assert "research and education" in record["terms"]
    else:
        with_drive = "DRIVE" in record["data"]
        assert len(record["training_images"]) == (83 if with_drive else 63)
        assert record["terms"] == ("research and education only" if with_drive else "CC BY 4.0")
    assert record["command"].startswith(f"retina-train --data {record['data'].replace(',', '')} ")
    assert record["threshold_from"] == f"{len(record['training_images'])} training images"
    assert all(dataset["terms"] and dataset["citation"] for dataset in record["datasets"])
    assert released.resume is None
    assert all(torch.isfinite(value).all() for value in released.generator.state_dict().values())
