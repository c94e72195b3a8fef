"""Losses of the generator and the discriminator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def pixel_loss(logits: Tensor, truth: Tensor, roi: Tensor, dice_weight: float = 0.0) -> Tensor:
    """Mean binary cross-entropy inside the retina, with a Dice term if asked for.

    Parameters
    ----------
    logits, truth, roi : (N, 1, H, W)
        `truth` may be soft (in [0, 1]): a map shrunk by area keeps the vessels' share of each pixel.
    dice_weight : float
        Weight of 1 - soft Dice. 0 by default: it drives probabilities to 0 and 1, which costs ranking.

    Returns
    -------
    ()
        Mean over the pixels with `roi` 1; 0 if there are none.
    """
    logits = logits.float()
    count = roi.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, weight=roi, reduction="sum") / count
    if dice_weight == 0.0:
        return entropy
    probability = torch.sigmoid(logits) * roi
    overlap = (probability * truth).sum()
    dice = (2.0 * overlap + 1.0) / (probability.sum() + (truth * roi).sum() + 1.0)
    return entropy + dice_weight * (1.0 - dice)


def discriminator_loss(expert_logits: Tensor, generated_logits: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))), equation 1 as the discriminator sees it; both logits (N,)."""
    expert = functional.binary_cross_entropy_with_logits(expert_logits, torch.ones_like(expert_logits))
    generated = functional.binary_cross_entropy_with_logits(
        generated_logits, torch.zeros_like(generated_logits)
    )
    return expert + generated


def adversarial_loss(generated_logits: Tensor) -> Tensor:
    """-log D(G(z)): the generator's side of equation 1, non-saturating (Goodfellow 2014, section 3)."""
    return functional.binary_cross_entropy_with_logits(generated_logits, torch.ones_like(generated_logits))
