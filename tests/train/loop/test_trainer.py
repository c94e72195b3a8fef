import copy
import re

import pytest
import torch
from small_dataset import WORKING_SIZE, small_options, training_images

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.loop.options import StageOptions
from retinagan.train.loop.parts import TrainingError
from retinagan.train.loop.trainer import Trainer
from retinagan.train.nets.checkpoint import load_checkpoint
from retinagan.train.nets.config import MODELS


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return training_images(tmp_path_factory.mktemp("data"))


def steps(trainer, count):
    return [trainer.step() for _ in range(count)]


def same(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("model", MODELS)
def test_each_system_learns_on_patches(images, model):
    trainer = Trainer(images, small_options(40, model=model))
    losses = [step["pixel"] for step in steps(trainer, 40)]
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])
    assert trainer.finished


@pytest.mark.parametrize("method", ["clahe", "none"])
def test_each_equalization_is_trained_with(images, method):
    options = small_options(1, preprocessing=Preprocessing(method, 5.0, WORKING_SIZE))
    trainer, usual = Trainer(images, options), Trainer(images, small_options(1))
    assert trainer.step()["pixel"] != usual.step()["pixel"]
    assert trainer.checkpoint().preprocessing.method == method


@pytest.mark.parametrize("model", ["gan", "retina-gan"])
def test_adversarial_systems_learn_on_regrouped_images(images, model):
    options = small_options(0, StageOptions(40, 5e-3, 5e-4, adversarial_weight=0.05), model=model)
    trainer = Trainer(images, options)
    losses = steps(trainer, 40)
    assert sum(step["pixel"] for step in losses[-5:]) < 0.8 * sum(step["pixel"] for step in losses[:5])
    for step in losses:
        assert 0.0 <= step["d_generated"] <= 1.0
        assert 0.0 <= step["d_expert"] <= 1.0
        assert step["loss"] == pytest.approx(step["pixel"] + 0.05 * step["adversarial"], rel=1e-4)


@pytest.mark.parametrize("model", ["unet", "ru-net"])
def test_systems_without_a_discriminator_learn_on_the_same_images_by_the_pixel_loss(images, model):
    trainer = Trainer(images, small_options(0, StageOptions(40, 5e-3), model=model))
    losses = steps(trainer, 40)
    assert trainer.stage == "images"
    assert sum(step["pixel"] for step in losses[-5:]) < 0.8 * sum(step["pixel"] for step in losses[:5])
    assert all(step["loss"] == step["pixel"] for step in losses)


def test_without_its_weight_the_discriminator_leaves_the_generator_alone(images):
    """The pixel loss on an image's patches is that on the image regrouped: all systems have one budget."""
    stage = StageOptions(2, 5e-3)
    against, alone = (Trainer(images, small_options(0, stage, model=model)) for model in ("gan", "unet"))
    alone.generator.load_state_dict(against.generator.state_dict())
    for ours, theirs in zip(steps(against, 2), steps(alone, 2), strict=True):
        assert ours["pixel"] == pytest.approx(theirs["pixel"], rel=1e-3)


def test_the_discriminator_learns_to_tell_maps_apart(images):
    stage = StageOptions(60, 1e-5, 1e-3, adversarial_weight=0.05)
    losses = steps(Trainer(images, small_options(0, stage)), 60)
    late = losses[-10:]
    assert sum(step["d_expert"] for step in late) > sum(step["d_generated"] for step in late) + 2.0


def test_the_stages_follow_each_other(images):
    trainer = Trainer(images, small_options(2, 2))
    seen = [(trainer.stage, set(trainer.step())) for _ in range(4)]
    assert [stage for stage, _ in seen] == ["patches", "patches", "adversarial", "adversarial"]
    assert "discriminator" not in seen[0][1]
    assert "discriminator" in seen[2][1]


def test_patches_leave_the_discriminator_alone(images):
    trainer = Trainer(images, small_options(2, 1))
    before = copy.deepcopy(trainer.discriminator)
    steps(trainer, 2)
    assert same(before, trainer.discriminator)
    trainer.step()
    assert not same(before, trainer.discriminator)


def running_means(trainer):
    state = trainer.generator.state_dict()
    return torch.cat([value for name, value in state.items() if name.endswith("running_mean")])


@pytest.mark.parametrize("model", ["unet", "retina-gan"])
def test_whole_images_leave_the_statistics_that_patches_have_found(images, model):
    trainer = Trainer(images, small_options(2, StageOptions(2, 1e-3), model=model))
    before = running_means(trainer).clone()
    steps(trainer, 2)
    found = running_means(trainer).clone()
    steps(trainer, 2)
    assert not torch.equal(found, before)
    assert torch.equal(running_means(trainer), found)


def test_whole_images_alone_find_the_statistics(images):
    trainer = Trainer(images, small_options(0, StageOptions(1, 1e-3)))
    before = running_means(trainer).clone()
    trainer.step()
    assert not torch.equal(running_means(trainer), before)


def test_a_seed_gives_the_same_weights(images):
    first, second, other = (Trainer(images, small_options(3, 2, seed=seed)) for seed in (0, 0, 1))
    for trainer in (first, second, other):
        torch.manual_seed(123)  # the global generator's state must not matter
        steps(trainer, 5)
    assert same(first.generator, second.generator)
    assert same(first.discriminator, second.discriminator)
    assert not same(first.generator, other.generator)


@pytest.mark.parametrize("stop", [2, 4, 6])
def test_a_resumed_run_goes_on_bit_for_bit(images, tmp_path, stop):
    options = small_options(4, 4)
    whole = Trainer(images, options)
    expected = steps(whole, 8)
    interrupted = Trainer(images, options)
    steps(interrupted, stop)
    interrupted.checkpoint().save(tmp_path / "a.pt")
    resumed = Trainer(images, options)
    resumed.load(load_checkpoint(tmp_path / "a.pt"))
    assert resumed.iteration == stop
    assert steps(resumed, 8 - stop) == expected[stop:]
    assert same(resumed.generator, whole.generator)
    assert same(resumed.average.net, whole.average.net)
    assert same(resumed.discriminator, whole.discriminator)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_reduced_precision_learns_almost_the_same_and_resumes(images, tmp_path, precision):
    full = steps(Trainer(images, small_options(1, 1)), 2)
    options = small_options(1, 1, precision=precision)
    trainer, resumed = Trainer(images, options), Trainer(images, options)
    first = trainer.step()
    trainer.checkpoint().save(tmp_path / "a.pt")
    second = trainer.step()
    assert [first["pixel"], second["pixel"]] == pytest.approx([step["pixel"] for step in full], rel=0.03)
    assert first["pixel"] != full[0]["pixel"]
    resumed.load(load_checkpoint(tmp_path / "a.pt"))
    assert resumed.step() == second
    assert same(resumed.generator, trainer.generator)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_cuda_device_learns_what_the_cpu_learns(images, tmp_path, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    expected = steps(Trainer(images, small_options(2, 1)), 3)
    trainer = Trainer(images, small_options(2, 1, precision=precision), "cuda")
    for step, other in zip(steps(trainer, 3), expected, strict=True):
        assert step["pixel"] == pytest.approx(other["pixel"], rel=0.05)
    trainer.checkpoint().save(tmp_path / "a.pt")
    resumed = Trainer(images, trainer.options, "cuda")
    resumed.load(load_checkpoint(tmp_path / "a.pt"))
    assert resumed.finished
    assert next(trainer.checkpoint().generator.parameters()).device.type == "cpu"


def test_training_starts_from_another_checkpoint(images, tmp_path):
    first = Trainer(images, small_options(3))
    steps(first, 3)
    first.checkpoint().released().save(tmp_path / "a.pt")
    second = Trainer(images, small_options(3, init=str(tmp_path / "a.pt")))
    assert same(second.generator, first.average.net)
    expected = (
        "is another net than --model unet (recurrent True, expected False; attention True, expected False): "
        "choose --model retina-gan"
    )
    with pytest.raises(TrainingError, match=re.escape(expected)):
        Trainer(images, small_options(3, model="unet", init=str(tmp_path / "a.pt")))
    with pytest.raises(TrainingError, match=re.escape("(widths 8,16, expected 4,16): leave --widths,")):
        Trainer(images, small_options(3, widths=(4, 16), init=str(tmp_path / "a.pt")))


def test_a_loss_that_is_not_finite_stops_before_the_step(images):
    trainer = Trainer(images, small_options(3))
    before = copy.deepcopy(trainer.generator)
    with torch.no_grad():
        trainer.generator.head.bias.fill_(float("nan"))
        before.head.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="patches loss is nan at iteration 0: train in another --out"):
        trainer.step()
    assert torch.equal(before.head.weight, trainer.generator.head.weight)
    assert trainer.iteration == 0
