"""What is exported: a trained checkpoint, or an FP32 ONNX file that was exported before."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from retinagan.export.graph.edit import check_onnx, first_line, named_nodes
from retinagan.export.options import Changes
from retinagan.export.progress import StepLog
from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.spec import METADATA_KEY, ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of, verify

if TYPE_CHECKING:
    from retinagan.train.nets.checkpoint import Checkpoint

DEFAULT_THRESHOLD = 0.5
"""Taken where neither the user nor the checkpoint names an operating threshold."""


@dataclass(frozen=True)
class Source:
    """An FP32 model, ready to be written in any precision.

    Attributes
    ----------
    model : onnx.ModelProto
        With BatchNorm folded.
    spec : ModelSpec
        Without hash and proof.
    open_reference : callable
        Opens the model as trained, with which all precisions are compared.
    """

    model: onnx.ModelProto
    spec: ModelSpec
    open_reference: Callable[[], EngineAdapter]


def open_source(path: Path, changes: Changes, log: StepLog) -> Source:
    """
    Read a checkpoint or an ONNX file.

    Raises
    ------
    ModelError
        If the file cannot be used, or an override is out of range.
    """
    return _open_onnx(path, changes, log) if path.suffix == ".onnx" else _open_checkpoint(path, changes, log)


def model_spec(checkpoint: "Checkpoint", changes: Changes, name: str) -> ModelSpec:
    """
    Return the spec of a checkpoint's FP32 model, without hash and proof.

    Parameters
    ----------
    checkpoint : Checkpoint
    changes : Changes
    name : str
        The model's name if neither the overrides nor the checkpoint's record have one.

    Raises
    ------
    ModelError
        If an override is out of range, or the checkpoint's figures make it unfit for use.
    """
    record: dict[str, Any] = dict(checkpoint.record)
    name = changes.name or record.get("options", {}).get("model") or name
    threshold = checkpoint.threshold if changes.threshold is None else changes.threshold
    spec = ModelSpec(
        name=name,
        file=f"{name}.onnx",
        precision="fp32",
        threshold=DEFAULT_THRESHOLD if threshold is None else threshold,
        map_threshold=changes.map_threshold(checkpoint.map_threshold),
        preprocessing=checkpoint.preprocessing,
        network_input=checkpoint.network_input,
        tiling=changes.tiling(checkpoint.tiling),
        training=record,
    )
    spec.check_worth(name)
    return spec


def _open_checkpoint(path: Path, changes: Changes, log: StepLog) -> Source:
    with log.step("load torch"):  # takes seconds, and an ONNX file does not need it
        from retinagan.export.graph.build import build_onnx
        from retinagan.export.graph.fold import fold_batch_norm
        from retinagan.export.graph.torch_adapter import TorchAdapter
        from retinagan.train.nets.checkpoint import load_checkpoint
    with log.step("read checkpoint") as results:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickles that it then rejects
            checkpoint = load_checkpoint(path)
        spec = model_spec(checkpoint, changes, path.stem)
        chosen = changes.threshold is not None or checkpoint.threshold is not None
        note = "" if chosen else ", the default, as none was chosen: see --threshold"
        results.append(f"threshold {spec.threshold:g}{note}")
    with log.step("fold BatchNorm"):
        folded = fold_batch_norm(checkpoint.generator)
    with log.step("export to ONNX"):
        model = build_onnx(folded, spec.network_input.divisor)
    with log.step("check graph") as results:
        check_onnx(model)
        results.append(f"{len(model.graph.node)} operators")
    return Source(model, spec, lambda: TorchAdapter(checkpoint.generator, spec))


def _open_onnx(path: Path, changes: Changes, log: StepLog) -> Source:
    from retinagan.runtime.engines import OnnxRuntimeAdapter

    with log.step("read ONNX file") as results:
        model = read_onnx(path)
        found = _spec_of(path, model)
        if found.precision != "fp32":
            raise ModelError(
                f"{path}: this is {found.precision}; other precisions are made from the FP32 file: give that "
                "file or the checkpoint"
            )
        name = changes.name or found.name
        threshold = found.threshold if changes.threshold is None else changes.threshold
        spec = replace(
            found,
            name=name,
            file=f"{name}.onnx",
            sha256="",
            threshold=threshold,
            map_threshold=changes.map_threshold(found.map_threshold),
            tiling=changes.tiling(found.tiling),
            proof={},
        )
        results.append(f"{spec.name}, threshold {spec.threshold:g}")
        if not spec_path(path).is_file():
            results.append(f"not verified, as {spec_path(path).name} is not beside it")
    with log.step("check graph") as results:
        try:
            check_onnx(model)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
        results.append(f"{len(model.graph.node)} operators")
    reference = replace(found, file=path.name)
    return Source(named_nodes(model), spec, lambda: OnnxRuntimeAdapter(path, reference))


def read_onnx(path: Path) -> onnx.ModelProto:
    """
    Read an ONNX file with its weights; weights in other files must lie in the same folder or below it.

    Raises
    ------
    ModelError
        If it is missing or not ONNX, or weights in another file are missing or outside its folder.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected a checkpoint or an ONNX file")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no public base class
        raise ModelError(f"{path}: not an ONNX file, or truncated ({first_line(error)})") from None
    if not model.graph.node:
        raise ModelError(
            f"{path}: not an ONNX file, or one without a model; copy it again from where it was exported"
        )
    folder = path.parent.resolve()
    for tensor in model.graph.initializer:
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), None)
        if location is None:
            continue
        weights = (folder / location).resolve()
        if not weights.is_relative_to(folder):
            raise ModelError(
                f"{path}: its weights are in {location!r}, outside its folder, and are not read: "
                "export the model with its weights inside"
            )
        if not weights.is_file():
            raise ModelError(
                f"{path}: its weights are in {location!r}, which is missing: copy it beside the model"
            )
    try:
        onnx.load_external_data_for_model(model, str(folder))
    except Exception as error:  # onnx raises several kinds
        raise ModelError(f"{path}: its weights in other files cannot be read ({first_line(error)})") from None
    return model


def _spec_of(path: Path, model: onnx.ModelProto) -> ModelSpec:
    """Return the spec beside the file, checked against it, or else the one inside."""
    beside = spec_path(path)
    if beside.is_file():
        spec = ModelSpec.load(beside)
        verify(path, spec)
        return spec
    inside = next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), None)
    if inside is None:
        raise ModelError(
            f"{path}: not a model of this package: no spec, neither {beside.name} beside it nor inside; "
            "give a checkpoint, or a file that retina-export wrote"
        )
    return replace(ModelSpec.from_json(inside, f"{path}, metadata"), sha256=sha256_of(path))
