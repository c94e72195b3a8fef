"""Make each precision of a model from FP32's draft."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from retinagan.export.graph.calibration import Calibration
from retinagan.export.graph.half import to_half
from retinagan.export.graph.quantize import FORMS, quantize
from retinagan.export.options import MEANT_FOR
from retinagan.export.precisions.drafts import Draft, write_draft
from retinagan.export.progress import StepLog


class Maker:
    """Writes drafts of any precision, made from FP32's.

    Parameters
    ----------
    fp32 : Draft
    work : path
        Folder for the drafts.
    calibration : Calibration or None
        For INT8.
    """

    def __init__(self, fp32: Draft, work: Path, calibration: Calibration | None) -> None:
        self.fp32 = fp32
        self.work = work
        self.calibration = calibration

    def make(self, precision: str, log: StepLog) -> Draft:
        """Write a precision of `MEANT_FOR`."""
        if precision == "fp32":
            return self.fp32
        with log.step(f"write {precision}") as results:
            draft = self.int8(precision) if precision in FORMS else self._rounded(precision)
            results.append(f"{draft.path.stat().st_size / 1e6:.2f} MB")
        return draft

    def int8(self, form: str, kept: Sequence[str] = ()) -> Draft:
        """Write INT8 in a form of `FORMS`, with the layers `kept` in float."""
        assert self.calibration is not None
        model = quantize(self.fp32.model, self.calibration.ranges, FORMS[form], kept)
        facts = {"calibration": self.calibration.record(), "layers_in_float": list(kept)}
        return self._written(model, form, "int8", facts)

    def _rounded(self, precision: str) -> Draft:
        """Write FP16, or BF16: FP32's graph, whose spec tells OpenVINO to compute in BF16."""
        model = to_half(self.fp32.model) if precision == "fp16" else copy.deepcopy(self.fp32.model)
        return self._written(model, precision, precision, {})

    def _written(self, model: onnx.ModelProto, suffix: str, precision: str, facts: dict[str, Any]) -> Draft:
        spec = self.fp32.spec
        spec = replace(spec, file=f"{spec.name}-{suffix}.onnx", precision=precision)
        return write_draft(model, spec, self.work, {"meant_for": MEANT_FOR[suffix], **facts})
