"""Build an engine from an ONNX file with TensorRT 8.6, 10 or 11, or with TensorRT-RTX."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retinagan.export.tensorrt.watch import Progress, make_monitor
from retinagan.runtime.atomic import written_atomically
from retinagan.runtime.console.signals import signals_held_back
from retinagan.runtime.engines.tensorrt.device import NAMES
from retinagan.runtime.engines.tensorrt.log import message_log
from retinagan.runtime.errors import EngineError, ModelError

_CHANNELS = {"image": 3, "roi": 1}


@dataclass(frozen=True)
class EnginePlan:
    """What to build.

    Attributes
    ----------
    onnx : path
        A model of this package in an ONNX file.
    precision : str
        The file's precision, from its spec.
    batch : tuple of int
        Smallest, usual and largest batch.
    patch : int
        Height and width of the patches.
    timing_cache : path or None
        Where to keep the measured times of the GPU's kernels, for a faster build next time.
    """

    onnx: Path
    precision: str
    batch: tuple[int, int, int]
    patch: int
    timing_cache: Path | None = None


class Dialect:
    """The differences between the versions; no other code asks for the version.

    Parameters
    ----------
    trt : module
        `tensorrt` or `tensorrt_rtx`.
    """

    def __init__(self, trt: Any) -> None:
        self.name = f"{NAMES[trt.__name__]} {trt.__version__}"
        flags, networks = trt.BuilderFlag, trt.NetworkDefinitionCreationFlag
        if hasattr(networks, "STRONGLY_TYPED"):
            # From 10 on, the file's own types apply.
            self.network_flags = 1 << int(networks.STRONGLY_TYPED)
            self.precision_flags: dict[str, Any] = {}
        else:
            self.network_flags = 1 << int(networks.EXPLICIT_BATCH)
            self.precision_flags = {"fp16": flags.FP16, "int8": flags.INT8}
        self.has_monitor = hasattr(trt, "IProgressMonitor")
        self.monitor_base = trt.IProgressMonitor if self.has_monitor else object
        self.has_timing_cache = trt.__name__ == "tensorrt"
        """TensorRT-RTX measures when the engine runs, so its timing caches are always empty."""
        self.names_nodes = hasattr(trt.ParserError, "node_operator")


def build_engine(trt: Any, plan: EnginePlan, progress: Progress | None = None) -> bytes:
    """
    Build an engine.

    Parameters
    ----------
    trt : module
        `tensorrt` or `tensorrt_rtx`. TensorRT needs a driver and a GPU: see `find_gpu`.
    plan : EnginePlan
    progress : callable, optional
        Called with the progress, if the version reports it.

    Returns
    -------
    bytes
        The serialized engine.

    Raises
    ------
    ModelError
        If the ONNX file cannot be parsed, or does not accept the plan's shapes.
    EngineError
        If the build fails; the message quotes TensorRT, and says if memory ran out.
    KeyboardInterrupt
        After Ctrl-C; without a progress monitor only when the build has ended.
    """
    dialect = Dialect(trt)
    log = message_log(trt)
    try:
        builder = trt.Builder(log)
    except TypeError:  # "factory function returned nullptr"
        raise _failure(dialect, log, "cannot start") from None
    network = _given(builder.create_network(dialect.network_flags), dialect, log)
    _parse(trt, dialect, log, network, plan.onnx)
    config = _given(builder.create_builder_config(), dialect, log)
    _set_precision(trt, dialect, config, plan.precision)
    _add_profile(dialect, log, builder, config, plan)
    cache = plan.timing_cache if dialect.has_timing_cache else None
    if cache is not None:
        _load_timing_cache(config, cache)
    with signals_held_back() as interrupted:
        monitor = make_monitor(dialect.monitor_base, progress, interrupted)
        if dialect.has_monitor:
            config.progress_monitor = monitor
        try:
            engine = builder.build_serialized_network(network, config)
        except MemoryError:
            raise _failure(dialect, log, "", no_memory=True) from None
    if monitor.error is not None:
        raise monitor.error
    if engine is None or not engine.nbytes:
        raise _failure(dialect, log, f"cannot build an engine from {plan.onnx.name}")
    if cache is not None:
        _save_timing_cache(config, cache)
    return bytes(engine)


def _given(value: Any, dialect: Dialect, log: Any) -> Any:
    """Return an object that TensorRT made, or raise if it is None."""
    if value is None:
        raise _failure(dialect, log, "cannot start")
    return value


def _failure(dialect: Dialect, log: Any, what: str, no_memory: bool = False) -> EngineError:
    """Make the error for a failure, with TensorRT's own words."""
    if no_memory or log.ran_out_of_memory:
        return EngineError(
            f"{dialect.name} ran out of memory ({log.said()}): close other programs, or build for fewer "
            "patches at once with --batch"
        )
    return EngineError(f"{dialect.name} {what}: {log.said()}")


def _parse(trt: Any, dialect: Dialect, log: Any, network: Any, path: Path) -> None:
    parser = trt.OnnxParser(network, log)
    # From the file, not from its bytes: otherwise weights in other files would not be found.
    if parser.parse_from_file(str(path)) and not parser.num_errors:
        return
    if not parser.num_errors:
        raise _failure(dialect, log, f"cannot read {path.name}")
    error = parser.get_error(0)
    text = _line(error.desc())
    if dialect.names_nodes and error.node_operator():
        text += f" [operator {error.node_operator()}, node {error.node_name()}]"
    raise ModelError(
        f"{dialect.name} cannot read {path}: {text}; build from an fp32, fp16 or int8 file of retina-export"
    )


def _set_precision(trt: Any, dialect: Dialect, config: Any, precision: str) -> None:
    if precision in dialect.precision_flags:
        config.set_flag(dialect.precision_flags[precision])
    if precision == "fp32":
        config.clear_flag(trt.BuilderFlag.TF32)  # rounds factors to 10 bits, which FP32's proof would reject


def _add_profile(dialect: Dialect, log: Any, builder: Any, config: Any, plan: EnginePlan) -> None:
    profile = _given(builder.create_optimization_profile(), dialect, log)
    for name, channels in _CHANNELS.items():
        profile.set_shape(name, *((count, channels, plan.patch, plan.patch) for count in plan.batch))
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(
            f"{dialect.name} does not accept patches of {plan.patch} x {plan.patch} in batches of "
            f"{' to '.join(map(str, plan.batch))}: the sizes must not decrease"
        )


def _load_timing_cache(config: Any, path: Path) -> None:
    """Give TensorRT the times measured before, or none if they are unusable or from another version."""
    try:
        content = path.read_bytes()
    except OSError:
        content = b""
    for known in (content, b""):
        cache = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, False):
            return


def _save_timing_cache(config: Any, path: Path) -> None:
    """Keep the times for the next build; ignore a full disk."""
    cache = config.get_timing_cache()
    content = None if cache is None else cache.serialize()
    if content is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(path) as temporary:
            temporary.write_bytes(bytes(content))


def _line(text: str) -> str:
    """Return a message as one short line."""
    text = " ".join(text.split())
    return text if len(text) <= 240 else text[:237] + "..."
