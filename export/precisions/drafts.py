"""Models that are written but not released yet, and the proof that decides on their release."""

import importlib.util
import math
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from retinagan.export.graph.edit import check_onnx, write_metadata
from retinagan.export.options import MEANT_FOR
from retinagan.export.progress import StepLog
from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.images import ImageFolder, ProofImage, synthetic_images
from retinagan.export.proof.measure import Measurement, measure, prepared, probability_map, record_of
from retinagan.export.proof.noise import compare, noise_patches
from retinagan.export.proof.pack import write_pack
from retinagan.export.tensorrt.tiling import engine_tiling
from retinagan.runtime.engines import EngineAdapter, OnnxRuntimeAdapter, OpenVinoAdapter
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec
from retinagan.runtime.model.verification import sha256_of

NOISE_TOLERANCE = 1e-4
"""Largest difference of FP32 from torch on noise, in sizes and batches unlike an image's."""


@dataclass(frozen=True)
class Draft:
    """A model in a file of the work folder, with its spec; `facts` records in the proof how it was made."""

    model: onnx.ModelProto
    spec: ModelSpec
    path: Path
    facts: dict[str, Any]


def write_draft(model: onnx.ModelProto, spec: ModelSpec, folder: Path, facts: dict[str, Any]) -> Draft:
    """
    Check a model and write it under its spec's file name; the spec is inside, without hash and proof.

    Raises
    ------
    ModelError
        If engines would not accept the graph.
    """
    check_onnx(model, spec.precision)
    write_metadata(model, METADATA_KEY, replace(spec, sha256="", proof={}).to_json())
    path = folder / spec.file
    path.write_bytes(model.SerializeToString(deterministic=True))
    return Draft(model, replace(spec, sha256=sha256_of(path)), path, facts)


def open_draft(draft: Draft) -> EngineAdapter:
    """Open a draft with the engine of its proof: OpenVINO if it is meant for that, else ONNX Runtime."""
    meant_for = draft.facts["meant_for"]
    installed = importlib.util.find_spec("openvino") is not None
    if meant_for == MEANT_FOR["bf16"] or (meant_for == MEANT_FOR["int8-openvino"] and installed):
        return OpenVinoAdapter(draft.path, draft.spec)
    return OnnxRuntimeAdapter(draft.path, draft.spec)


def with_threshold(spec: ModelSpec, threshold: float) -> ModelSpec:
    """Return a spec with a threshold that stands for its own: each map's own moves by as much, in logits."""
    rule = spec.map_threshold
    if rule is not None and 0 < threshold < 1:
        moved = _logit(threshold) - _logit(spec.threshold)
        rule = replace(rule, offset=rule.offset - rule.slope * moved)
    return replace(spec, threshold=threshold, map_threshold=rule)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


class Prover:
    """Compares drafts with FP32.

    Parameters
    ----------
    reference : EngineAdapter
        The model as trained.
    spec : ModelSpec
        FP32's spec.
    calibration, verify : ImageFolder or None
        Images on which thresholds are refitted (the proof pack's if None), and images for the proof besides
        the proof pack's.
    log : StepLog
    """

    def __init__(
        self,
        reference: EngineAdapter,
        spec: ModelSpec,
        calibration: ImageFolder | None,
        verify: ImageFolder | None,
        log: StepLog,
    ) -> None:
        self._reference = reference
        self._spec = spec
        self._calibration = calibration
        self._verify = verify
        self._log = log
        self.pack = self._expected_maps(spec)

    def write_pack(self, folder: Path) -> str:
        """Write the proof pack; gives its hash.

        Its maps are made of the patches that an engine takes, since it is engines that are held to it.
        """
        spec = replace(self._spec, tiling=engine_tiling(self._spec))
        pack = self.pack if spec == self._spec else self._expected_maps(spec)
        return write_pack(folder, spec, pack, [_expected(image) for image in pack])

    def _expected_maps(self, spec: ModelSpec) -> list[ProofImage]:
        return [
            replace(image, expected=probability_map(self._reference, prepared(image, spec), spec))
            for image in synthetic_images()
        ]

    def prove(self, drafts: Sequence[Draft], pack_sha256: str) -> list[Draft]:
        """
        Refit the drafts' thresholds, and record in their specs how they differ from FP32.

        Raises
        ------
        ParityError
            If a draft returns NaN or infinity, or FP32 differs from the reference on noise.
        """
        with ExitStack() as stack:
            adapters = [stack.enter_context(open_draft(draft)) for draft in drafts]
            noise = [self._noise(draft, adapter) for draft, adapter in zip(drafts, adapters, strict=True)]
            thresholds = self._thresholds(drafts, adapters)
            records = self._records(adapters, thresholds)
        proven = []
        for draft, threshold, extra, record in zip(drafts, thresholds, noise, records, strict=True):
            proof = {
                "reference": self._reference.description,
                "reference_threshold": self._spec.threshold,
                "pack_sha256": pack_sha256,
                **draft.facts,
                **extra,
                **record,
            }
            spec = with_threshold(draft.spec, threshold)
            if threshold != draft.spec.threshold:
                spec = write_draft(draft.model, spec, draft.path.parent, draft.facts).spec
            proven.append(replace(draft, spec=replace(spec, proof=proof, scores=_scores(record))))
        return proven

    def cost(self, draft: Draft) -> float:
        """Return the mean absolute difference of probability from FP32 on the proof pack."""
        with open_draft(draft) as adapter:
            measured, _ = measure(self.pack, self._spec, None, [adapter])
        return measured[0].agreement.mean

    def _noise(self, draft: Draft, adapter: EngineAdapter) -> dict[str, Any]:
        """Compare FP32 with the reference on noise; other precisions have no bound on noise."""
        if draft.spec.precision != "fp32":
            return {"candidate": adapter.description}
        difference = compare(self._reference, adapter, noise_patches(self._spec.network_input.divisor))
        if not difference.largest <= NOISE_TOLERANCE:
            raise ParityError(
                f"the exported model's probabilities differ from the trained one's by up to "
                f"{difference.largest:.2g} on noise; the limit is {NOISE_TOLERANCE:g}. Nothing was written; "
                "try another torch or onnxruntime"
            )
        noise = {"patches": difference.patches, "max_abs_difference": difference.largest}
        return {"candidate": adapter.description, "noise": noise}

    def _thresholds(self, drafts: Sequence[Draft], adapters: Sequence[EngineAdapter]) -> list[float]:
        """Find where each draft's vessel map agrees best with FP32's; never on the images of the proof."""
        lossy = [draft.spec.precision != "fp32" for draft in drafts]
        chosen = [adapter for adapter, refit in zip(adapters, lossy, strict=True) if refit]
        if not chosen:
            return [self._spec.threshold] * len(drafts)
        with self._log.step("refit thresholds") as results:
            if self._calibration is None:
                measured, _ = self._measure(self.pack, chosen, stored=True)
            else:
                measured, _ = self._measure(self._calibration.without_truth(), chosen)
            found = [measurement.agreement.best_threshold() for measurement in measured]
            results.append(", ".join(f"{threshold:.3f}" for threshold in found))
        rest = iter(found)
        return [next(rest) if refit else self._spec.threshold for refit in lossy]

    def _records(
        self, adapters: Sequence[EngineAdapter], thresholds: Sequence[float]
    ) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = [{} for _ in adapters]
        sets: list[tuple[str, Iterable[ProofImage]]] = [("proof_pack", self.pack)]
        if self._verify is not None:
            sets.append(("verify", self._verify))
        for name, images in sets:
            with self._log.step(f"compare on {name.replace('_', ' ')}") as results:
                measured, truth = self._measure(images, adapters, stored=name == "proof_pack")
                for record, measurement, threshold in zip(records, measured, thresholds, strict=True):
                    record[name] = record_of(measurement, threshold, truth)
                results.append(f"{measured[0].agreement.images} images")
        return records

    def _measure(
        self, images: Iterable[ProofImage], adapters: Sequence[EngineAdapter], stored: bool = False
    ) -> tuple[list[Measurement], Any]:
        reference = None if stored else self._reference
        return measure(self._log.counted(images, "image"), self._spec, reference, adapters)


def _scores(record: dict[str, Any]) -> dict[str, Any]:
    """Return a spec's scores: against the experts' maps of the images to verify on, if there are any."""
    verified = record.get("verify", {})
    if "scores" not in verified:
        return {}
    facts = {"region": "inside the FOV, native size, pooled", "images": verified["images"]}
    return {**facts, **verified["scores"]}


def _expected(image: ProofImage) -> NDArray[np.float32]:
    assert image.expected is not None
    return image.expected
