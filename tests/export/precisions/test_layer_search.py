from dataclasses import replace

import pytest

from retinagan.export.graph.edit import layers
from retinagan.export.precisions.layer_search import rank_layers, search
from retinagan.export.proof import bounds
from retinagan.export.proof.bounds import Bounds

NAMES = ["a", "b", "c", "d", "e"]


class Making:
    """Makes drafts that say which layers they keep in float."""

    def __init__(self, fp32) -> None:
        self.fp32 = fp32
        self.made = []

    def int8(self, form, kept=()):
        self.made.append((form, tuple(kept)))
        spec = replace(self.fp32.spec, file=f"tiny-{form}.onnx", precision="int8")
        return replace(self.fp32, spec=spec, facts={"layers_in_float": list(kept)})


class Proving:
    """Says that each layer in INT8 costs what `costs` says, and proves drafts with the sum of them."""

    def __init__(self, costs) -> None:
        self.costs = costs

    def cost(self, draft):
        return sum(cost for name, cost in self.costs.items() if name not in draft.facts["layers_in_float"])

    def prove(self, drafts, pack_sha256):
        (draft,) = drafts
        measured = {"max_abs_difference": self.cost(draft), "map_dice": 1 - self.cost(draft)}
        proof = {"pack_sha256": pack_sha256, "proof_pack": measured}
        return [replace(draft, spec=replace(draft.spec, proof=proof))]


@pytest.fixture
def making(fp32, monkeypatch):
    monkeypatch.setattr("retinagan.export.precisions.layer_search.layers", lambda model: NAMES)
    return Making(fp32)


COSTS = dict(zip(NAMES, (0.01, 0.05, 0.02, 0.08, 0.03), strict=True))


def plain(making, proving):
    return proving.prove([making.int8("int8")], "1" * 64)[0]


def test_the_costliest_layer_is_the_first(making, steps):
    assert rank_layers(making, "int8", Proving(COSTS), steps) == ["d", "b", "e", "c", "a"]
    assert making.made == [("int8", tuple(name for name in NAMES if name != alone)) for alone in NAMES]


@pytest.mark.parametrize(
    ("least_dice", "kept"), [(0.88, ["d"]), (0.93, ["d", "b"]), (0.985, ["d", "b", "e", "c"])]
)
def test_more_layers_stay_in_float_until_the_bounds_are_kept(
    making, steps, said, monkeypatch, least_dice, kept
):
    monkeypatch.setitem(bounds.BOUNDS, "int8", Bounds(None, least_dice, 1.0))
    proving = Proving(COSTS)
    found = search(plain(making, proving), making, proving, steps)
    assert found.facts["layers_in_float"] == kept
    assert found.spec.proof["pack_sha256"] == "1" * 64
    lines = said.getvalue().splitlines()
    assert lines[0] == "tiny-int8.onnx exceeds its bounds: searching for the layers that cause it"
    assert lines[1].startswith("rank layers by cost ... most costly d; ")
    assert lines[-1] == f"int8 with {len(kept)} of 5 layers in float"


def test_layers_that_all_cost_too_much_give_nothing(making, steps, said, monkeypatch):
    monkeypatch.setitem(bounds.BOUNDS, "int8", Bounds(None, 1.01, 1.0))
    proving = Proving(COSTS)
    assert search(plain(making, proving), making, proving, steps) is None
    assert [line for line in said.getvalue().splitlines() if " of 5 layers" in line] == [
        f"int8 with {count} of 5 layers in float" for count in (1, 2, 4)
    ]


def test_another_form_of_int8_is_searched_in_that_form(making, steps, monkeypatch):
    monkeypatch.setitem(bounds.BOUNDS, "int8", Bounds(None, 0.88, 1.0))
    proving = Proving(COSTS)
    draft = making.int8("int8-onnxruntime")
    draft = proving.prove([draft], "1" * 64)[0]
    making.made.clear()
    search(draft, making, proving, steps)
    assert {form for form, _ in making.made} == {"int8-onnxruntime"}


def test_layers_of_a_real_model_are_ranked_by_what_each_costs(maker, prover, steps):
    ranked = rank_layers(maker, "int8-onnxruntime", prover, steps)
    assert sorted(ranked) == sorted(layers(maker.fp32.model))
    costs = []
    for alone in ranked:
        others = [name for name in ranked if name != alone]
        costs.append(prover.cost(maker.int8("int8-onnxruntime", others)))
    assert costs == sorted(costs, reverse=True)
