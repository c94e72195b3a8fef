"""What a precision may cost: bounds that a saved proof is held to, at export or any time later."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """How far a model may be from FP32.

    Attributes
    ----------
    max_difference : float or None
        Largest absolute difference of probability; None: any.
    min_map_dice : float
        Smallest Dice between the model's vessel map and FP32's, where there is no truth.
    max_drop : float
        Largest drop of Dice against truth from FP32's, where there is truth.
    """

    max_difference: float | None
    min_map_dice: float
    max_drop: float


BOUNDS = {
    "fp32": Bounds(1e-4, 0.999, 0.0005),
    "fp16": Bounds(None, 0.99, 0.002),
    "bf16": Bounds(None, 0.97, 0.005),
    "int8": Bounds(None, 0.97, 0.005),
}
"""By precision."""


def bounds_for(precision: str, **changes: float | None) -> Bounds:
    """Give a precision's bounds, with those in place of its own that are not None."""
    return replace(BOUNDS[precision], **{key: value for key, value in changes.items() if value is not None})


def deciding_set(proof: Mapping[str, Any]) -> str | None:
    """Name the images that decide: the user's where there are any, else the proof pack's."""
    return next((name for name in ("verify", "proof_pack") if name in proof), None)


def faults(proof: Mapping[str, Any], bounds: Bounds) -> list[str]:
    """
    Hold a proof to bounds.

    Parameters
    ----------
    proof : mapping
        The spec's `proof`.
    bounds : Bounds

    Returns
    -------
    list of str
        What misses its bound, a line each; empty if all is kept.
    """
    name = deciding_set(proof)
    if name is None:
        return ["it has no proof: export it again"]
    measured = proof[name]
    found = []
    difference = measured["max_abs_difference"]
    if bounds.max_difference is not None and not difference <= bounds.max_difference:
        found.append(f"probabilities differ by up to {difference:.2g}, allowed are {bounds.max_difference:g}")
    drop = dice_drop(measured)
    if drop is None:
        if not measured["map_dice"] >= bounds.min_map_dice:
            found.append(
                f"its vessel map agrees with FP32's to Dice {measured['map_dice']:.4f}, "
                f"needed are {bounds.min_map_dice:g}"
            )
    elif not drop <= bounds.max_drop:
        found.append(f"Dice against truth drops by {drop:.4f} from FP32's, allowed are {bounds.max_drop:g}")
    return found


def dice_drop(measured: Mapping[str, Any]) -> float | None:
    """Give how much Dice against truth drops from FP32's; None without truth."""
    if "scores" not in measured:
        return None
    before, after = measured["reference_scores"]["dice"], measured["scores"]["dice"]
    return None if before is None or after is None else float(before - after)
