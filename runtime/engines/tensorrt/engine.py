"""TensorRT as an engine, through pycuda; needs no other engine and no ONNX library."""

import os
import traceback
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.engines.base import EngineAdapter
from retinagan.runtime.engines.cuda.context import PrimaryContext, import_pycuda
from retinagan.runtime.engines.cuda.driver import find_gpu
from retinagan.runtime.engines.pool import Pool
from retinagan.runtime.engines.tensorrt.device import (
    NAMES,
    import_tensorrt,
    misfits,
    rebuild_command,
)
from retinagan.runtime.engines.tensorrt.lane import CHANNELS, Lane, LaneParts
from retinagan.runtime.engines.tensorrt.log import message_log
from retinagan.runtime.errors import EngineError, ImageError, ModelError
from retinagan.runtime.model.spec import ModelSpec, spec_path
from retinagan.runtime.model.verification import verify

_LANES = 2  # one computes while the other copies; more would only cost memory


class TensorRtAdapter(EngineAdapter):
    """A TensorRT or TensorRT-RTX engine, run on the GPU for which it was built.

    It accepts patches of one size, the spec's, and splits them into batches that the engine accepts. The
    GPU's primary context is current only during a call, so that the host program keeps its own.

    Parameters
    ----------
    engine_path : str or path
        The serialized engine.
    spec : ModelSpec or None
        Its spec, which an engine requires: hash, version and GPU are checked before loading.
    index : int
        The number of the GPU that runs it, from 0.

    Raises
    ------
    ModelError
        If the file or its spec is missing, the file does not match its spec, or it is not a vessel model of
        this package.
    EngineError
        If there is no driver or GPU, TensorRT or pycuda is not installed, the engine was built for another
        device or version, or TensorRT cannot load it.
    """

    def __init__(self, engine_path: str | os.PathLike[str], spec: ModelSpec | None, index: int = 0) -> None:
        path = Path(engine_path)
        if spec is None or spec.engine is None:
            raise ModelError(
                f"{path}: an engine needs its spec, {spec_path(path).name}, beside it: copy both, or "
                "build it with retina-export"
            )
        verify(path, spec)
        rebuild = rebuild_command(spec.engine)
        if reasons := misfits(spec.engine, index):
            raise EngineError(f"{path} cannot run here: {'; '.join(reasons)}. Build it here: {rebuild}")
        trt = import_tensorrt(spec.engine.builder)
        self._side = spec.usual_patch
        self._engine = _LoadedEngine(trt, path, self._side, index, rebuild)
        # Also if the adapter is dropped or the interpreter exits: CUDA's objects must be freed in order.
        self._free = weakref.finalize(self, self._engine.close)
        super().__init__(
            spec, f"{NAMES[spec.engine.builder]} {trt.__version__}, {find_gpu(index=index).name}"
        )

    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self._engine.run(image, roi, out)

    def _close(self) -> None:
        self._free()

    def _patches_at_once(self, height: int, width: int) -> int:
        return self._engine.most

    def _check_inputs(self, image: NDArray[np.float32], roi: NDArray[np.float32]) -> None:
        super()._check_inputs(image, roi)
        side = self._side
        if image.shape[2:] != (side, side):
            height, width = image.shape[2:]
            raise ImageError(
                f"image: got height {height}, width {width}; this engine accepts only patches of height "
                f"{side}, width {side}"
            )


class _LoadedEngine:
    """A deserialized engine with its lanes, and everything that must be freed with it."""

    def __init__(self, trt: Any, path: Path, side: int, index: int, rebuild: str) -> None:
        self._process = os.getpid()
        self._cuda = import_pycuda()
        self._context = PrimaryContext(self._cuda, index)
        self._runtime: Any = None
        self._parts: LaneParts | None = None
        self._lanes: Pool[Lane] | None = None
        self.most = 0
        try:
            with self._context.current():
                self._load_or_let_go(trt, path, side, rebuild)
        except BaseException:
            self.close()
            raise

    def _load_or_let_go(self, trt: Any, path: Path, side: int, rebuild: str) -> None:
        try:
            self._load(trt, path, side, rebuild)
        except BaseException as error:
            # The failed frames keep the engine alive, which must be freed while its context is current.
            traceback.clear_frames(error.__traceback__)
            raise

    def _load(self, trt: Any, path: Path, side: int, rebuild: str) -> None:
        log = message_log(trt)
        self._runtime = trt.Runtime(log)
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise EngineError(f"TensorRT cannot load {path}: {log.said()}. Build it here: {rebuild}")
        _check_tensors(trt, engine, path)
        self.most = _batch_limit(engine, side, path, rebuild)
        parts = self._parts = LaneParts(self._cuda, engine, log, self.most, side)
        self._lanes = Pool(lambda: Lane(parts), _LANES)
        with self._lanes.lend():
            pass  # makes the first lane now, so that a lack of memory shows at once

    def run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Run at most `most` patches; from any thread."""
        assert self._lanes is not None
        with self._context.current(), self._lanes.lend() as lane:
            lane.run(image, roi, out)

    def close(self) -> None:
        """Free everything, while nothing runs; do nothing in a forked process, where CUDA does not work."""
        if os.getpid() != self._process:
            return
        with self._context.current():
            if self._lanes is not None:
                for lane in self._lanes.drain():
                    lane.close()
            if self._parts is not None:
                self._parts.engine = None
            self._runtime = None
        self._context.release()


def _check_tensors(trt: Any, engine: Any, path: Path) -> None:
    """Raise `ModelError` unless an engine is a vessel model with float32 inputs and output."""
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    modes = {name: engine.get_tensor_mode(name) for name in names}
    wanted = dict.fromkeys(CHANNELS, trt.TensorIOMode.INPUT) | {"probability": trt.TensorIOMode.OUTPUT}
    if modes != wanted or any(engine.get_tensor_dtype(name) != trt.DataType.FLOAT for name in names):
        raise ModelError(
            f"{path}: its tensors are {', '.join(sorted(names))}; a vessel model has image, roi and "
            "probability, all float32: build it from a model of this package with retina-export"
        )


def _batch_limit(engine: Any, side: int, path: Path, rebuild: str) -> int:
    """Return the largest batch; raise `ModelError` unless batches start at one of the spec's patches."""
    least, _, most = (tuple(shape) for shape in engine.get_tensor_profile_shape("image", 0))
    if least != (1, 3, side, side) or most[1:] != (3, side, side):
        raise ModelError(
            f"{path}: it accepts images from {least} to {most}; its spec says from (1, 3, {side}, {side}). "
            f"Build it again: {rebuild}"
        )
    return int(most[0])
