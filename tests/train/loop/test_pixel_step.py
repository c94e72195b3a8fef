import copy

import pytest
import torch
from small_dataset import small_options

from retinagan.train.loop.batches import Batch
from retinagan.train.loop.parts import OptimizerStep, PartWork, TrainingError
from retinagan.train.loop.pixel_step import in_patches, pixel_step
from retinagan.train.loop.workers import ALONE
from retinagan.train.nets.generator import Generator

RATE = 0.1


@pytest.fixture
def batch():
    torch.manual_seed(1)
    roi = torch.ones(2, 1, 32, 32)
    roi[..., :8] = 0.0
    truth = (torch.rand(2, 1, 32, 32) < 0.2).float() * roi
    return Batch(torch.randn(2, 3, 32, 32), roi, truth)


def learner(**changes):
    options = small_options(1, patch=32, batch=2, image_batch=2, **changes)
    torch.manual_seed(0)
    net = Generator(options.generator).train()
    step = OptimizerStep(
        "patches", net, torch.optim.SGD(net.parameters(), 1.0), options.accumulate, ALONE, False
    )
    return net, step, PartWork(options, torch.device("cpu"), ALONE)


def test_a_step_goes_down_the_loss_at_the_given_rate(batch):
    net, step, work = learner()
    before = copy.deepcopy(net)
    figures = pixel_step(step, work.parts(batch), 0.0, RATE, 0, work)
    assert figures["learning_rate"] == RATE
    assert figures["loss"] == figures["pixel"]
    for (name, old), new in zip(before.named_parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(new, old - RATE * new.grad, msg=name)
    after = pixel_step(step, work.parts(batch), 0.0, 0.0, 1, work)
    assert after["pixel"] < figures["pixel"]


def test_the_dice_term_adds_to_the_loss(batch):
    (_, plain, work), (_, weighted, _) = learner(), learner()
    without = pixel_step(plain, work.parts(batch), 0.0, RATE, 0, work)["pixel"]
    assert pixel_step(weighted, work.parts(batch), 1.0, RATE, 0, work)["pixel"] > without + 0.1


def test_the_truth_s_share_of_vessels_counts_the_retina_alone(batch):
    _, step, work = learner()
    share = (batch.truth.sum() / batch.roi.sum()).item()
    assert pixel_step(step, work.parts(batch), 0.0, RATE, 0, work)["vessels"] == pytest.approx(share)


def test_figures_are_means_over_the_parts(batch):
    _, step, work = learner(accumulate=2)
    alone = []
    for k in range(2):
        _, other, one = learner()
        part = Batch(*(layer[k : k + 1] for layer in (batch.image, batch.roi, batch.truth)))
        alone.append(pixel_step(other, [part], 0.0, RATE, 0, one)["pixel"])
    assert pixel_step(step, work.parts(batch), 0.0, RATE, 0, work)["pixel"] == pytest.approx(sum(alone) / 2)


def test_a_loss_that_is_not_finite_leaves_the_weights(batch):
    net, step, work = learner()
    before = copy.deepcopy(net)
    batch.image[0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingError, match="the patches loss is nan at iteration 5: train in another --out"):
        pixel_step(step, work.parts(batch), 0.0, RATE, 5, work)
    for old, new in zip(before.parameters(), net.parameters(), strict=True):
        assert torch.equal(old, new)


def test_whole_images_are_cut_into_patches(batch):
    cut = in_patches(batch, 16)
    assert [tuple(layer.shape) for layer in (cut.image, cut.roi, cut.truth)] == [
        (8, 3, 16, 16),
        (8, 1, 16, 16),
        (8, 1, 16, 16),
    ]
    assert torch.equal(cut.image[1], batch.image[0, :, :16, 16:])
    assert torch.equal(cut.truth[6], batch.truth[1, :, 16:, :16])
