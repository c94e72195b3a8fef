"""The limits on what a precision may cost, for a proof at export or at any later time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """How much a model may differ from FP32.

    Attributes
    ----------
    max_difference : float or None
        Largest absolute difference of probability; None for no limit.
    min_map_dice : float
        Least Dice between the model's vessel map and FP32's, used if there is no truth.
    max_drop : float
        Largest drop of Dice against truth from FP32's, used if there is truth.
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
"""The bounds of each precision."""


def bounds_for(precision: str, **changes: float | None) -> Bounds:
    """Return a precision's bounds, overridden by the arguments that are not None."""
    return replace(BOUNDS[precision], **{key: value for key, value in changes.items() if value is not None})


def deciding_set(proof: Mapping[str, Any]) -> str | None:
    """Return the set of images that decides: the user's if there is one, else the proof pack's."""
    return next((name for name in ("verify", "proof_pack") if name in proof), None)


def faults(proof: Mapping[str, Any], bounds: Bounds) -> list[str]:
    """
    Check a proof against bounds.

    Parameters
    ----------
    proof : mapping
        The spec's `proof`.
    bounds : Bounds

    Returns
    -------
    list of str
        One line for each bound that is exceeded; empty if none is.
    """
    name = deciding_set(proof)
    if name is None:
        return ["it has no proof: export it again"]
    measured = proof[name]
    found = []
    difference = measured["max_abs_difference"]
    if bounds.max_difference is not None and not difference <= bounds.max_difference:
        found.append(
            f"probabilities differ by up to {difference:.2g}; the limit is {bounds.max_difference:g}"
        )
    drop = dice_drop(measured)
    if drop is None:
        if not measured["map_dice"] >= bounds.min_map_dice:
            found.append(
                f"Dice of its vessel map with FP32's is {measured['map_dice']:.4f}; "
                f"the limit is {bounds.min_map_dice:g}"
            )
    elif not drop <= bounds.max_drop:
        found.append(f"Dice against truth drops by {drop:.4f} from FP32's; the limit is {bounds.max_drop:g}")
    return found


def dice_drop(measured: Mapping[str, Any]) -> float | None:
    """Return the drop of Dice against truth from FP32's; None without truth."""
    if "scores" not in measured:
        return None
    before, after = measured["reference_scores"]["dice"], measured["scores"]["dice"]
    return None if before is None or after is None else float(before - after)
