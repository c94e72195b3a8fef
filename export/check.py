"""`retina-export --check`: describe an artefact, its bounds, and whether it runs on this device.

Nothing is run: the file's hash and the proof in its spec tell everything.
"""

from importlib import metadata
from pathlib import Path
from typing import Any

from retinagan.export.proof.bounds import Bounds, deciding_set, dice_drop, faults
from retinagan.export.tensorrt.export import engine_fits
from retinagan.runtime.errors import ModelError
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import verify

_RUNNERS = {"ONNX Runtime": ("onnxruntime", "onnxruntime-gpu"), "OpenVINO": ("openvino",)}


def check(path: Path, bounds: Bounds) -> tuple[list[tuple[str, str]], bool]:
    """
    Describe an artefact.

    Parameters
    ----------
    path : path
        An ONNX file or an engine, with its spec beside it.
    bounds : Bounds
        The bounds for its proof.

    Returns
    -------
    list of (str, str)
        Lines to print, each with its heading.
    bool
        Whether it is within the bounds and runs on this device.

    Raises
    ------
    ModelError
        If the file or its spec is missing or damaged, or the file does not match the spec.
    """
    spec = read_spec(path)
    missed = faults(spec.proof, bounds)
    reasons = _reasons(spec)
    lines = [
        ("file", f"{path}, {path.stat().st_size / 1e6:.2f} MB, as exported (SHA-256 {spec.sha256[:12]}...)"),
        ("model", f"{spec.name}, {spec.precision}{_purpose(spec)}"),
        ("runs on", _input(spec)),
        *_proof_lines(spec),
        ("bounds", "; ".join(missed) or "kept"),
        ("here", "fits" if not reasons else reasons[0]),
        *(("", reason) for reason in reasons[1:]),
    ]
    if spec.engine is None and not reasons:
        lines[-1] = ("here", f"runs with {', '.join(_runners())}")
    return lines, not missed and not reasons


def read_spec(path: Path) -> ModelSpec:
    """Read an artefact's spec and check the artefact against it; raise `ModelError` if they differ."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected an ONNX file or an engine of retina-export")
    beside = spec_path(path)
    if not beside.is_file():
        raise ModelError(
            f"{path}: its spec {beside.name} is not beside it; copy both from where it was exported"
        )
    spec = ModelSpec.load(beside)
    verify(path, spec)
    return spec


def _reasons(spec: ModelSpec) -> list[str]:
    """List why the artefact cannot run here, and last what to type."""
    if spec.engine is not None:
        return engine_fits(spec)
    if _runners():
        return []
    return ["neither ONNX Runtime nor OpenVINO is installed", 'type  pip install "retinagan[cpu]"']


def _runners() -> list[str]:
    """Return the installed engines for ONNX files, with their versions."""
    found = []
    for name, distributions in _RUNNERS.items():
        for distribution in distributions:
            try:
                found.append(f"{name} {metadata.version(distribution)}")
            except metadata.PackageNotFoundError:
                continue
    return found


def _purpose(spec: ModelSpec) -> str:
    if spec.engine is not None:
        build = spec.engine
        return (
            f", engine built with {build.builder} {build.version} for {build.gpu} "
            f"(compute capability {build.compute_capability}), {build.system}, from {build.source}"
        )
    return f", for {spec.proof['meant_for']}" if "meant_for" in spec.proof else ""


def _input(spec: ModelSpec) -> str:
    tiling, before = spec.tiling, spec.preprocessing
    overlap = f", {tiling.overlap:.0%} overlapping" if tiling.overlap else ""
    scale = f"{before.working_size} x {before.working_size} pixels"
    if before.pixels_per_degree is not None:
        scale = f"{before.pixels_per_degree:g} pixels per degree ({before.field_of_view:g} degrees assumed)"
    patches = "as one patch" if tiling.patch is None else f"in patches of {tiling.patch}"
    own = "" if spec.map_threshold is None else "each map's own threshold around "
    vessels = f"pixels at or above {own}{spec.threshold:.3f} count as vessel"
    return f"the retina at {scale} {patches}{overlap}; {vessels}"


def _proof_lines(spec: ModelSpec) -> list[tuple[str, str]]:
    name = deciding_set(spec.proof)
    if name is None:
        return [("proof", "none")]
    measured = spec.proof[name]
    text = (
        f"{measured['images']} images ({name.replace('_', ' ')}) against {spec.proof['reference']}: "
        f"probability differs by {measured['max_abs_difference']:.1e} at most, "
        f"{measured['mean_abs_difference']:.1e} on average; Dice of the maps {measured['map_dice']:.4f}"
    )
    lines = [("proof", text)]
    if dice_drop(measured) is not None:
        lines.append(("", f"against truth: {_listed(measured['scores'])}"))
        lines.append(("", f"FP32 had:      {_listed(measured['reference_scores'])}"))
    if layers := spec.proof.get("layers_in_float"):
        lines.append(("", f"layers kept in float: {', '.join(layers)}"))
    if accepted := spec.proof.get("accepted"):
        lines.append(("", f"accepted by --accept-drop: {'; '.join(accepted)}"))
    return lines


def _listed(scores: dict[str, Any]) -> str:
    named = {"auc": "AUC", "dice": "Dice", "acc": "Acc", "sen": "Sen", "spe": "Spe"}
    return ", ".join(
        f"{name} {scores[key]:.4f}" for key, name in named.items() if scores.get(key) is not None
    )
