import numpy as np
import pytest

from retinagan.export.proof.bounds import BOUNDS, Bounds, bounds_for, deciding_set, dice_drop, faults

BOUND = Bounds(max_difference=None, min_map_dice=0.97, max_drop=0.005)


def measured(difference=0.1, map_dice=0.98, before=None, after=None):
    record = {"max_abs_difference": difference, "map_dice": map_dice}
    if before is not None:
        record |= {"reference_scores": {"dice": before}, "scores": {"dice": after}}
    return record


def test_what_is_kept():
    assert faults({"proof_pack": measured()}, BOUND) == []
    assert faults({"proof_pack": measured(map_dice=0.1), "verify": measured()}, BOUND) == []
    assert faults({"verify": measured(map_dice=0.1, before=0.82, after=0.816)}, BOUND) == []


def test_without_truth_the_maps_agreement_decides():
    (fault,) = faults({"verify": measured(map_dice=0.9612)}, BOUND)
    assert fault == "Dice of its vessel map with FP32's is 0.9612; the limit is 0.97"


def test_with_truth_the_drop_decides():
    (fault,) = faults({"verify": measured(before=0.82, after=0.814)}, BOUND)
    assert fault == "Dice against truth drops by 0.0060 from FP32's; the limit is 0.005"
    assert faults({"verify": measured(before=0.82, after=0.83)}, BOUND) == []


def test_the_difference_of_probability():
    (fault,) = faults({"proof_pack": measured(difference=2e-4)}, bounds_for("int8", max_difference=1e-4))
    assert fault == "probabilities differ by up to 0.0002; the limit is 0.0001"


@pytest.mark.parametrize("key", ["difference", "map_dice"])
def test_no_number_keeps_no_bound(key):
    assert faults({"proof_pack": measured(**{key: np.nan})}, Bounds(1.0, 0.0, 1.0))


def test_no_proof():
    assert deciding_set({"reference": "torch"}) is None
    assert faults({}, BOUND) == ["it has no proof: export it again"]


def test_truth_without_vessels_gives_no_drop():
    assert dice_drop(measured(before=0.8, after=None) | {"scores": {"dice": None}}) is None


def test_a_precisions_own_bounds_and_others_in_their_place():
    assert bounds_for("int8") == BOUNDS["int8"] == BOUND
    assert bounds_for("int8", max_drop=0.003, min_map_dice=None) == Bounds(None, 0.97, 0.003)
    assert BOUNDS["fp32"].max_difference == 1e-4
