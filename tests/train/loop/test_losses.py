import math

import pytest
import torch

from retinagan.train.loop.losses import adversarial_loss, discriminator_loss, pixel_loss


def test_pixel_loss_is_the_mean_cross_entropy_inside_the_retina():
    logits = torch.tensor([[[[0.0, 2.0, 50.0]]]])
    truth = torch.tensor([[[[0.25, 1.0, 0.0]]]])
    roi = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    expected = (math.log(2) + math.log(1 + math.exp(-2))) / 2
    assert pixel_loss(logits, truth, roi).item() == pytest.approx(expected, rel=1e-6)


def test_pixel_loss_without_retina_is_zero():
    zeros = torch.zeros(1, 1, 2, 2)
    assert pixel_loss(zeros, zeros, zeros).item() == 0.0


def test_dice_term_vanishes_for_a_perfect_map():
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:5] = 1.0
    logits = torch.where(truth > 0, 30.0, -30.0)
    roi = torch.ones_like(truth)
    assert pixel_loss(logits, truth, roi, dice_weight=1.0).item() == pytest.approx(0.0, abs=1e-5)
    empty = pixel_loss(-30.0 * roi, truth, roi, dice_weight=1.0) - pixel_loss(-30.0 * roi, truth, roi)
    assert empty.item() == pytest.approx(1 - 1 / 25, abs=1e-5)


def test_adversarial_losses_of_equation_1():
    expert, generated = torch.tensor([1.5]), torch.tensor([-0.5])
    d_expert, d_generated = torch.sigmoid(expert).item(), torch.sigmoid(generated).item()
    expected = -math.log(d_expert) - math.log(1 - d_generated)
    assert discriminator_loss(expert, generated).item() == pytest.approx(expected, rel=1e-5)
    assert adversarial_loss(generated).item() == pytest.approx(-math.log(d_generated), rel=1e-5)
