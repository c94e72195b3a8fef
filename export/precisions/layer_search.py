"""Find the layers that cost an INT8 model most of its agreement with FP32."""

from retinagan.export.graph.edit import layers
from retinagan.export.precisions.drafts import Draft, Prover
from retinagan.export.precisions.making import Maker
from retinagan.export.progress import StepLog
from retinagan.export.proof.bounds import bounds_for, faults


def rank_layers(maker: Maker, form: str, prover: Prover, log: StepLog) -> list[str]:
    """
    Rank a model's layers by the cost of each alone in INT8, with all others in float.

    Parameters
    ----------
    maker : Maker
    form : str
        A key of `FORMS`.
    prover : Prover
        Compares with FP32 on the proof pack.
    log : StepLog
        Where each layer is reported.

    Returns
    -------
    list of str
        Names of the layers, costliest first.
    """
    names = layers(maker.fp32.model)
    cost = {}
    for name in log.counted(names, "layer"):
        others = [other for other in names if other != name]
        cost[name] = prover.cost(maker.int8(form, others))
    return sorted(names, key=lambda name: -cost[name])


def search(draft: Draft, maker: Maker, prover: Prover, log: StepLog) -> Draft | None:
    """
    Try INT8 with 1, 2, 4, ... of the costliest layers in float until it is within the bounds.

    Parameters
    ----------
    draft : Draft
        Plain INT8, which exceeds them.
    maker : Maker
    prover : Prover
    log : StepLog

    Returns
    -------
    Draft or None
        Proven; None if none is within the bounds.
    """
    form = draft.spec.file.removeprefix(f"{draft.spec.name}-").removesuffix(".onnx")
    log.line(f"{draft.spec.file} exceeds its bounds: searching for the layers that cause it")
    with log.step("rank layers by cost") as results:
        ranked = rank_layers(maker, form, prover, log)
        results.append(f"most costly {ranked[0]}")
    count = 1
    while count < len(ranked):
        log.line(f"{form} with {count} of {len(ranked)} layers in float")
        candidate = prover.prove([maker.int8(form, ranked[:count])], draft.spec.proof["pack_sha256"])[0]
        if not faults(candidate.spec.proof, bounds_for("int8")):
            return candidate
        count *= 2
    return None
