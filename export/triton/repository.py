"""Write a Triton model repository: the whole way from image to map, and the bare network."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from retinagan.export.check import read_spec
from retinagan.export.progress import StepLog
from retinagan.export.triton.configuration import WRITTEN, network_configuration, whole_configuration
from retinagan.runtime.console.signals import signals_held_back
from retinagan.runtime.errors import OptionError
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.serve.tensors import VERSION, served_name

_MODEL = '''\
"""The whole way from image to map; Triton's Python backend runs this file."""

try:
    from retinagan.runtime.serve.triton import TritonPythonModel
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'{error}; in the Python that runs this model type  pip install "retinagan[cpu]"'
    ) from None

__all__ = ["TritonPythonModel"]
'''


def write_repository(
    model: str | os.PathLike[str], folder: str | os.PathLike[str], log: StepLog
) -> list[Path]:
    """Write two models into a Triton model repository.

    ``NAME`` takes images or image files and returns maps, by the Python backend, in which `retinagan` must be
    installed. ``NAME-network`` is the network alone: equalized, normalised patches in, probabilities out. It
    is left out for BF16, which Triton's ONNX Runtime does not compute in.

    Parameters
    ----------
    model : str or path
        An ONNX file or an engine of `retina-export`, with its spec beside it; both are copied.
    folder : str or path
        The repository; created if missing. Models of the same name that `retina-export` wrote are replaced,
        other folders are left alone.
    log : StepLog
        Where each step is reported.

    Returns
    -------
    list of Path
        The folders of the models. A failure leaves nothing new, and earlier ones unchanged.

    Raises
    ------
    ModelError
        If the model or its spec is missing or damaged.
    OptionError
        If the model is of a kind that Triton cannot run, or a folder of its name is there that is not ours.
    OSError
        If the folder cannot be written to.
    """
    source, repository = Path(model), Path(folder)
    with log.step("read model") as results:
        spec = _servable_spec(source)
        results.append(f"{spec.name}, {spec.precision}")
    name = served_name(spec)
    writers = {name: _write_whole}
    if spec.precision != "bf16":  # which OpenVINO alone computes in
        writers[f"{name}-network"] = _write_network
    for taken in (repository / one for one in writers):
        _check_ours(taken)
    repository.mkdir(parents=True, exist_ok=True)
    with (
        log.step("write Triton models") as results,
        TemporaryDirectory(prefix=".retina-export-", dir=repository) as work,
    ):
        for one, write in writers.items():
            write(Path(work, one), source, spec)
        with signals_held_back():
            for one in writers:
                if (repository / one).exists():
                    (repository / one).replace(Path(work, f"earlier-{one}"))
                Path(work, one).replace(repository / one)
        results.append(", ".join(writers))
    return [repository / one for one in writers]


def _servable_spec(source: Path) -> ModelSpec:
    """Read the spec beside a model, and check both."""
    if source.suffix == ".pt":
        raise OptionError(
            f"{source}: Triton runs ONNX files and engines; first type  retina-export {source} --out exported"
        )
    spec = read_spec(source)
    if spec.engine is not None and spec.engine.builder != "tensorrt":
        raise OptionError(
            f"{source}: Triton's TensorRT backend cannot run an engine of {spec.engine.builder}; "
            "build one by --engine tensorrt"
        )
    return spec


def _check_ours(folder: Path) -> None:
    """Check that a folder is free, or holds a model that this package has written."""
    if not folder.exists():
        return
    try:
        ours = (folder / "config.pbtxt").read_text(encoding="utf-8").startswith(WRITTEN)
    except (OSError, UnicodeDecodeError):
        ours = False
    if not ours:
        raise OptionError(
            f"{folder} is there and was not written by retina-export; move it, or choose another --triton"
        )


def _write_whole(folder: Path, source: Path, spec: ModelSpec) -> None:
    version = folder / VERSION
    version.mkdir(parents=True)
    (version / "model.py").write_text(_MODEL, encoding="utf-8")
    shutil.copyfile(source, version / spec.file)
    shutil.copyfile(spec_path(source), spec_path(version / spec.file))
    (folder / "config.pbtxt").write_text(whole_configuration(folder.name, spec), encoding="utf-8")


def _write_network(folder: Path, source: Path, spec: ModelSpec) -> None:
    version = folder / VERSION
    version.mkdir(parents=True)
    shutil.copyfile(source, version / ("model.onnx" if spec.engine is None else "model.plan"))
    (folder / "config.pbtxt").write_text(network_configuration(folder.name, spec), encoding="utf-8")
