"""Scores that show a model to be unfit for use: they come from wrong masks or maps, not from training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAST_AUC = 0.6
"""AUC below which a model has learnt nothing; chance is 0.5."""


def worth_fault(threshold: float, scores: Mapping[str, Any]) -> str:
    """Return why a model is unfit for use by its scores; an empty string if it is fit.

    Parameters
    ----------
    threshold : float
        The operating threshold.
    scores : mapping
        Measured scores. "auc" counts if present; None or NaN means that it could not be measured.
    """
    if not 0.0 < threshold < 1.0:
        whole = "every pixel" if threshold <= 0.0 else "no pixel"
        return f"threshold {threshold:g}: {whole} would be a vessel"
    if "auc" not in scores:
        return ""
    auc = scores["auc"]
    if not isinstance(auc, int | float) or auc != auc:
        return "its AUC could not be measured: the masks or the maps it was scored on are wrong"
    if auc < LEAST_AUC:
        return f"AUC {auc:.4f}, below {LEAST_AUC:g}: it does not tell vessels from the rest"
    return ""
