import copy

import pytest
import torch
from small_dataset import small_options
from torch import nn

from retinagan.train.loop.adversarial_step import adversarial_step
from retinagan.train.loop.batches import Batch
from retinagan.train.loop.options import StageOptions
from retinagan.train.loop.parts import OptimizerStep, PartWork, TrainingError
from retinagan.train.loop.workers import ALONE
from retinagan.train.nets.discriminator import Discriminator
from retinagan.train.nets.generator import Generator

STAGE = StageOptions(1, 0.2, 0.1, adversarial_weight=0.05)


class Learners:
    """A generator and a discriminator with their steps, always from the same weights."""

    def __init__(self, stage=STAGE, **changes):
        options = small_options(0, stage, image_batch=2, **changes)
        self.work = PartWork(options, torch.device("cpu"), ALONE)
        torch.manual_seed(0)
        self.generator, self.discriminator = Generator(options.generator).train(), Discriminator().train()
        self.steps = [
            OptimizerStep(name, net, torch.optim.SGD(net.parameters(), 1.0), options.accumulate, ALONE, False)
            for name, net in (("generator", self.generator), ("discriminator", self.discriminator))
        ]

    def step(self, batch, factor=0.5, iteration=0):
        return adversarial_step(*self.steps, batch, factor, iteration, self.work)


@pytest.fixture
def batch():
    torch.manual_seed(1)
    roi = torch.ones(2, 1, 64, 64)
    roi[..., :16] = 0.0
    truth = (torch.rand(2, 1, 64, 64) < 0.2).float() * roi
    return Batch(torch.randn(2, 3, 64, 64), roi, truth)


def unchanged(before, net):
    return all(torch.equal(old, new) for old, new in zip(before.parameters(), net.parameters(), strict=True))


def test_each_net_is_trained_at_its_own_rate(batch):
    learners = Learners()
    generator, discriminator = copy.deepcopy(learners.generator), copy.deepcopy(learners.discriminator)
    figures = learners.step(batch, factor=0.5)
    assert figures["learning_rate"] == 0.1
    for before, net, rate in (
        (generator, learners.generator, 0.1),
        (discriminator, learners.discriminator, 0.05),
    ):
        assert not unchanged(before, net)
        for (name, old), new in zip(before.named_parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(new, old - rate * new.grad, msg=name)


def test_the_loss_is_the_weighted_sum_of_its_terms(batch):
    stage = StageOptions(1, 0.2, 0.1, pixel_weight=2.0, adversarial_weight=0.5)
    figures = Learners(stage).step(batch)
    assert figures["loss"] == pytest.approx(2.0 * figures["pixel"] + 0.5 * figures["adversarial"], rel=1e-5)


def test_the_discriminator_s_answers_are_probabilities_before_its_step(batch):
    learners = Learners()
    with torch.no_grad():
        expert = torch.sigmoid(copy.deepcopy(learners.discriminator)(batch.green, batch.truth)).mean().item()
    figures = learners.step(batch)
    assert figures["d_expert"] == pytest.approx(expert, rel=1e-4)
    assert 0.0 < figures["d_generated"] < 1.0


def test_the_discriminator_sees_no_vessel_outside_the_retina(batch):
    seen = []
    learners = Learners()
    learners.discriminator.register_forward_hook(lambda _, inputs, __: seen.append(inputs[1].detach()))
    learners.step(batch)
    assert len(seen) == 3  # the expert's maps, the generated ones, and these again for the generator
    assert all((maps[..., :16] == 0.0).all() for maps in seen)
    assert torch.equal(seen[0], batch.truth)
    assert torch.equal(seen[1], seen[2])


def test_the_generator_is_judged_by_the_discriminator_after_its_step(batch):
    moving, still = Learners(), Learners(StageOptions(1, 0.2, 0.0, adversarial_weight=0.05))
    first, second = moving.step(batch), still.step(batch)
    assert first["d_generated"] == second["d_generated"]
    assert first["adversarial"] != second["adversarial"]


def test_without_its_weight_the_discriminator_leaves_the_generator_alone(batch):
    stage = StageOptions(1, 0.2, 0.1, adversarial_weight=0.0)
    ours, theirs = Learners(stage), Learners(stage)
    with torch.no_grad():
        for parameter in theirs.discriminator.parameters():
            parameter.add_(0.1)
    ours.step(batch)
    theirs.step(batch)
    assert unchanged(ours.generator, theirs.generator)


def test_running_statistics_are_the_mean_over_the_parts(batch):
    learners = Learners(accumulate=2)
    norms = [
        name for name, module in learners.generator.named_modules() if isinstance(module, nn.BatchNorm2d)
    ]
    before = copy.deepcopy(learners.generator)
    learners.step(batch)
    halves = []
    for k in range(2):
        alone = Learners()
        alone.generator.load_state_dict(before.state_dict())
        alone.step(Batch(*(layer[k : k + 1] for layer in (batch.image, batch.roi, batch.truth))))
        halves.append(alone.generator)
    for name in norms:
        expected = sum(half.get_submodule(name).running_mean for half in halves) / 2
        torch.testing.assert_close(learners.generator.get_submodule(name).running_mean, expected, msg=name)


def test_a_discriminator_loss_that_is_not_finite_leaves_both_nets(batch):
    learners = Learners()
    generator, discriminator = copy.deepcopy(learners.generator), copy.deepcopy(learners.discriminator)
    batch.truth[0, 0, 0, 20] = float("nan")
    with pytest.raises(TrainingError, match="the discriminator loss is nan at iteration 3: train in another"):
        learners.step(batch, iteration=3)
    assert unchanged(generator, learners.generator)
    assert unchanged(discriminator, learners.discriminator)


def test_a_generator_loss_that_is_not_finite_leaves_the_generator(batch):
    learners = Learners(StageOptions(1, 0.2, 0.1, pixel_weight=float("inf"), adversarial_weight=0.05))
    generator = copy.deepcopy(learners.generator)
    with pytest.raises(TrainingError, match="the generator loss is inf at iteration 3: train in another"):
        learners.step(batch, iteration=3)
    assert unchanged(generator, learners.generator)
