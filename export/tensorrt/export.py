"""From an ONNX file to a TensorRT or TensorRT-RTX engine, on the device that will run it.

Needs neither torch nor onnx nor onnxruntime: the spec beside the file says what must be known, and the proof
pack has FP32's maps, with which the engine is compared.
"""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from retinagan.export.cache import cache_folder
from retinagan.export.options import MEANT_FOR
from retinagan.export.progress import StepLog
from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.bounds import bounds_for, faults
from retinagan.export.proof.measure import measure, record_of
from retinagan.export.proof.pack import ProofPack, read_pack
from retinagan.export.tensorrt.builder import EnginePlan, build_engine
from retinagan.export.tensorrt.tiling import engine_tiling, usual_sizes
from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.engines import open_adapter
from retinagan.runtime.engines.base import PIXELS_PER_RUN
from retinagan.runtime.engines.cuda.driver import Gpu, find_gpu
from retinagan.runtime.engines.tensorrt.device import (
    import_tensorrt,
    misfits,
    rebuild_command,
    this_system,
)
from retinagan.runtime.errors import EngineError, ModelError, OptionError
from retinagan.runtime.model.parameters import EngineBuild
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import sha256_of, verify
from retinagan.runtime.steps.patches import PatchGrid

_RTX_GPU, _RTX_LEAST = "any RTX GPU", "8.0"  # what TensorRT-RTX builds for unless told otherwise
_SUFFIX = {"tensorrt": ".engine", "tensorrt-rtx": ".rtx.engine"}


@dataclass(frozen=True)
class EngineOptions:
    """Options of an engine.

    Parameters
    ----------
    engine : {"tensorrt", "tensorrt-rtx"}
    batch : tuple of int, optional
        Smallest, usual and largest batch; by default from one patch to all patches of an image.
    patch : int, optional
        Side of the patches in pixels; only the model's own is accepted, which is the default.
    timing_cache : path, optional
        Folder for TensorRT's measured times; the user's cache folder by default.
    accept_drop : bool
        Write an engine even if it exceeds the bounds of its precision.
    """

    engine: str = "tensorrt"
    batch: tuple[int, int, int] | None = None
    patch: int | None = None
    timing_cache: Path | None = None
    accept_drop: bool = False

    def __post_init__(self) -> None:
        if self.engine not in _SUFFIX:
            raise OptionError(f'--engine: got "{self.engine}"; expected one of {", ".join(_SUFFIX)}')
        if self.batch is not None and (list(self.batch) != sorted(self.batch) or self.batch[0] != 1):
            raise OptionError(
                f"--batch: got {' '.join(map(str, self.batch))}; expected the smallest (1, as patches "
                "without retina are skipped), the usual and the largest batch, in ascending order"
            )

    @property
    def builder(self) -> str:
        """The module's name, as in `EngineBuild.builder`."""
        return self.engine.replace("-", "_")


def export_engine(
    onnx_path: str | os.PathLike[str], out_dir: str | os.PathLike[str], options: EngineOptions, log: StepLog
) -> Path:
    """
    Build an engine from an ONNX file of this package, prove it, and write it with its spec.

    Parameters
    ----------
    onnx_path : str or path
        The model, with its spec and its proof pack beside it.
    out_dir : str or path
        Output folder; created if missing.
    options : EngineOptions
    log : StepLog
        Where each step is reported.

    Returns
    -------
    Path
        The engine's file; its spec is beside it (see `spec_path`). A failure leaves nothing new, and files of
        an earlier export unchanged.

    Raises
    ------
    ModelError
        If the model, its spec or its proof pack cannot be used or does not fit the options; `ParityError` if
        the engine exceeds the bounds of its precision.
    EngineError
        If there is no TensorRT or no GPU, or the build fails.
    OSError
        If the folder cannot be written to.
    """
    source, folder = Path(onnx_path), Path(out_dir)
    with log.step("read model") as results:
        spec = _source_spec(source, options)
        results.append(f"{spec.name}, {spec.precision}, patches of {spec.tiling.patch}")
    with log.step("find GPU") as results:
        gpu, no_gpu = _gpu(options)
        trt = import_tensorrt(options.builder)
        pack = None if gpu is None else read_pack(source, spec)
        results.append(no_gpu if gpu is None else f"{gpu.name}, compute capability {gpu.compute_capability}")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass  # a folder that cannot be written to is found now, not after minutes
    target = folder / (source.stem + _SUFFIX[options.engine])
    build = _engine_build(options, trt, gpu, spec, source)
    with log.step(f"build by {options.engine} {build.version}") as results:
        plan = EnginePlan(
            source, spec.precision, build.batch, spec.usual_patch, timing_cache_path(build, options)
        )
        content = build_engine(trt, plan, lambda share, phase: log.update(f"{share:4.0%} {phase}"))
        results.append(f"{len(content) / 1e6:.2f} MB")
    with written_atomically(target) as engine_file, written_atomically(spec_path(target)) as spec_file:
        engine_file.write_bytes(content)
        spec = replace(spec, file=target.name, sha256=sha256_of(engine_file), engine=build, scores={})
        with log.step("compare with FP32") as results:
            if pack is None:
                spec = replace(spec, proof={})
                results.append(f"not compared ({no_gpu})")
            else:
                spec = _proven(engine_file, spec, pack, options)
                proof = spec.proof["proof_pack"]
                results.append(f"probability within {proof['max_abs_difference']:.1e}")
                results.append(f"Dice of the maps {proof['map_dice']:.4f}")
        spec.save(spec_file)
    return target


def engine_fits(spec: ModelSpec) -> list[str]:
    """
    List why an artefact cannot run on this device.

    Parameters
    ----------
    spec : ModelSpec
        The artefact's.

    Returns
    -------
    list of str
        The reasons, and last the command that rebuilds it; empty if it can run, or is not an engine.
    """
    if spec.engine is None:
        return []
    reasons = misfits(spec.engine)
    return [*reasons, f"rebuild it with:  {rebuild_command(spec.engine)}"] if reasons else []


def timing_cache_path(build: EngineBuild, options: EngineOptions) -> Path:
    """Return the file for measured times, which are valid for one version on one device."""
    folder = options.timing_cache or cache_folder()
    key = "-".join((build.builder, build.version, build.gpu, build.compute_capability, build.system))
    return folder / (re.sub(r"[^\w.-]+", "_", key) + ".timing")


def _source_spec(source: Path, options: EngineOptions) -> ModelSpec:
    """Read the ONNX file's spec, and check the file and the options against it."""
    if not source.is_file():
        raise ModelError(f"{source}: no such file; expected an ONNX file that retina-export wrote")
    beside = spec_path(source)
    if not beside.is_file():
        raise ModelError(f"{source}: {beside.name} is not beside it; copy both from where it was exported")
    spec = ModelSpec.load(beside)
    verify(source, spec)
    if spec.engine is not None:
        raise ModelError(f"{source}: this is an engine already; give the ONNX file {spec.engine.source}")
    meant_for = spec.proof.get("meant_for")
    if meant_for in (MEANT_FOR["int8-openvino"], MEANT_FOR["int8-onnxruntime"]):
        raise ModelError(
            f"{source}: this is INT8 for {meant_for}, which TensorRT cannot read; give the file of "
            "--precision int8"
        )
    spec = replace(spec, tiling=engine_tiling(spec))
    if options.patch not in (None, spec.tiling.patch):
        raise OptionError(
            f"--patch: got {options.patch}; {source.name} and its proof are of patches of "
            f"{spec.tiling.patch}: export the checkpoint again with --patch {options.patch}"
        )
    return spec


def _gpu(options: EngineOptions) -> tuple[Gpu | None, str]:
    """Return the GPU, or why there is none if TensorRT-RTX does not need one."""
    try:
        return find_gpu(), ""
    except EngineError as error:
        if options.engine == "tensorrt":
            raise EngineError(f"TensorRT builds an engine on the device that will run it: {error}") from None
        return None, str(error).partition(":")[0]


def _engine_build(
    options: EngineOptions, trt: Any, gpu: Gpu | None, spec: ModelSpec, source: Path
) -> EngineBuild:
    name, capability = _RTX_GPU, _RTX_LEAST
    if options.engine == "tensorrt" and gpu is not None:
        name, capability = gpu.name, gpu.compute_capability
    return EngineBuild(
        builder=options.builder,
        version=trt.__version__,
        gpu=name,
        compute_capability=capability,
        system=this_system(),
        batch=options.batch or default_batch(spec),
        source=source.name,
    )


def default_batch(spec: ModelSpec) -> tuple[int, int, int]:
    """Return the batches that one image makes: patches without retina are left out, so from one patch on."""
    at_once = max(1, PIXELS_PER_RUN // spec.usual_patch**2)
    usual = min(len(PatchGrid.of(spec.preprocessing.usual_size, spec.tiling)), at_once)
    largest = max(len(PatchGrid.of(size, spec.tiling)) for size in usual_sizes(spec.preprocessing))
    return (1, usual, max(usual, min(largest, at_once)))


def _proven(engine_file: Path, spec: ModelSpec, pack: ProofPack, options: EngineOptions) -> ModelSpec:
    """Run the engine on the proof pack; return its spec with the proof.

    The threshold stays as fitted to the precision, on other images than those of the proof.
    """
    with open_adapter(engine_file, spec) as adapter:
        (measurement,), _ = measure(pack.images, pack.spec, None, [adapter])
        candidate = adapter.description
    proof: dict[str, Any] = {
        "reference": "FP32's maps in the proof pack",
        "reference_threshold": pack.spec.threshold,
        "candidate": candidate,
        "meant_for": candidate,
        "proof_pack": record_of(measurement, spec.threshold, None),
    }
    if "pack_sha256" in spec.proof:
        proof["pack_sha256"] = spec.proof["pack_sha256"]
    missed = faults(proof, bounds_for(spec.precision))
    lossy = spec.precision != "fp32"
    if missed and not (options.accept_drop and lossy):
        instead = "use FP32, or --accept-drop to write it anyway" if lossy else "try another TensorRT"
        raise ParityError(
            f"the engine's maps differ too much from FP32's: {'; '.join(missed)}. Nothing was written; "
            f"{instead}"
        )
    if missed:
        proof["accepted"] = missed
    return replace(spec, proof=proof)
