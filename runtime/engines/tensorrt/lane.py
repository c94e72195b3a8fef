"""A lane through the GPU: an execution context with its own stream and buffers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.engines.cuda.graph import CudaGraph
from retinagan.runtime.engines.model_file import one_line
from retinagan.runtime.errors import EngineError

CHANNELS = {"image": 3, "roi": 1, "probability": 1}
"""The tensors of a vessel model."""

_STEADY = 3  # after this many runs of one size in a row, the next is recorded as a CUDA graph


@dataclass
class LaneParts:
    """What lanes are made of. Only this object refers to the engine, so that its owner can free it.

    Attributes
    ----------
    cuda : module
        `pycuda.driver`.
    engine : tensorrt.ICudaEngine
        The engine.
    log : tensorrt.ILogger
        The engine's logger, made by `message_log`.
    most : int
        The largest number of patches in a batch.
    side : int
        Height and width of a patch.
    """

    cuda: Any
    engine: Any
    log: Any
    most: int
    side: int


class Lane:
    """An execution context for one thread at a time, with pinned and device memory allocated once.

    The GPU's context must be current when a method is called.

    Parameters
    ----------
    parts : LaneParts

    Raises
    ------
    EngineError
        If TensorRT cannot make an execution context, or memory is short.
    """

    def __init__(self, parts: LaneParts) -> None:
        self._parts = parts
        self._host: dict[str, Any] = {}
        self._device: dict[str, Any] = {}
        self._graph: CudaGraph | None = None
        self._records = True
        self._count = self._repeats = 0
        self._stream: Any = None
        self._context: Any = parts.engine.create_execution_context()
        if self._context is None:
            raise EngineError(f"TensorRT cannot make an execution context: {parts.log.said()}")
        try:
            self._allocate()
        except EngineError:
            self.close()
            raise
        except parts.cuda.Error as error:
            self.close()
            raise EngineError(
                f"the GPU has no memory for {parts.most} patches of {parts.side} x {parts.side} "
                f"({one_line(error)}): close other programs, or build the engine for fewer with --batch"
            ) from None

    def run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Run at most `most` patches and write the result into `out`.

        Raises
        ------
        EngineError
            If TensorRT or CUDA fails.
        """
        count = len(image)
        self._host["image"][:count] = image
        self._host["roi"][:count] = roi
        try:
            try:
                self._prepare(count)
                if self._graph is None:
                    self._enqueue()
                else:
                    self._graph.launch()
            finally:  # after a failure too: copies may still read the memory that the next run fills
                self._stream.synchronize()
        except self._parts.cuda.Error as error:
            raise EngineError(f"CUDA failed: {one_line(error)}") from None
        np.copyto(out, self._host["probability"][:count])

    def close(self) -> None:
        """Free everything, in the order of its dependencies."""
        self._drop_graph()
        self._context = self._stream = None
        for buffer in self._device.values():
            buffer.free()
        for array in self._host.values():
            array.base.free()
        self._device, self._host = {}, {}

    def _allocate(self) -> None:
        parts = self._parts
        self._stream = parts.cuda.Stream()
        for name, channels in CHANNELS.items():
            shape = (parts.most, channels, parts.side, parts.side)
            self._host[name] = parts.cuda.pagelocked_empty(shape, np.float32)
            self._device[name] = parts.cuda.mem_alloc(self._host[name].nbytes)
            self._agreed(self._context.set_tensor_address(name, int(self._device[name])), "address")

    def _prepare(self, count: int) -> None:
        """Set the number of patches; from the fourth run with the same number on, use a CUDA graph."""
        if count != self._count:
            # A graph is invalid once its context has another shape.
            self._drop_graph()
            self._count, self._repeats = 0, 0
            for name in ("image", "roi"):
                shape = (count, CHANNELS[name], self._parts.side, self._parts.side)
                self._agreed(self._context.set_input_shape(name, shape), f"shape {shape}")
            self._count = count
        if self._graph is None and self._records and self._repeats >= _STEADY:
            try:
                self._graph = CudaGraph(self._stream.handle, self._enqueue)
            except (EngineError, self._parts.cuda.Error):
                self._records = False  # not every engine can be recorded; it runs without
        self._repeats += 1

    def _enqueue(self) -> None:
        """Put copies and computation on the stream without waiting for them."""
        cuda, count = self._parts.cuda, self._count
        for name in ("image", "roi"):
            cuda.memcpy_htod_async(self._device[name], self._host[name][:count], self._stream)
        self._agreed(self._context.execute_async_v3(stream_handle=self._stream.handle), "run")
        cuda.memcpy_dtoh_async(self._host["probability"][:count], self._device["probability"], self._stream)

    def _agreed(self, answer: bool, to_what: str) -> None:
        if not answer:
            raise EngineError(f"TensorRT rejects the {to_what}: {self._parts.log.said()}")

    def _drop_graph(self) -> None:
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.close()
