"""CUDA graphs through the driver, since pycuda does not support them."""

import ctypes
from collections.abc import Callable

from retinagan.runtime.engines.cuda import driver as cuda_driver

_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may go on using CUDA


class CudaGraph:
    """Work on a stream, recorded once and then launched as a whole.

    It keeps the addresses and sizes that its buffers had when it was recorded.

    Parameters
    ----------
    stream : int
        The stream's handle; its context is current.
    enqueue : callable
        Puts the work on the stream. It must have run once outside a recording, must not wait for the stream
        and must not allocate memory.

    Raises
    ------
    EngineError
        If the driver cannot record this work; the stream stays usable.
    """

    def __init__(self, stream: int, enqueue: Callable[[], None]) -> None:
        self._driver = cuda_driver.load()
        self._stream = ctypes.c_void_p(stream)
        self._launchable = ctypes.c_void_p()
        graph = self._recorded(enqueue)
        try:
            self._call(
                "cuGraphInstantiateWithFlags", ctypes.byref(self._launchable), graph, ctypes.c_ulonglong(0)
            )
        finally:
            self._call("cuGraphDestroy", graph)

    def launch(self) -> None:
        """Put the recorded work on the stream; raise `EngineError` if the driver fails."""
        self._call("cuGraphLaunch", self._launchable, self._stream)

    def close(self) -> None:
        """Free the graph, which must not be running."""
        self._call("cuGraphExecDestroy", self._launchable)

    def _recorded(self, enqueue: Callable[[], None]) -> ctypes.c_void_p:
        graph = ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(_THREAD_LOCAL))
        try:
            enqueue()
        except BaseException:
            # End the recording in any case, or the stream could not be used again.
            self._driver.cuStreamEndCapture(self._stream, ctypes.byref(graph))
            if graph:
                self._call("cuGraphDestroy", graph)
            raise
        self._call("cuStreamEndCapture", self._stream, ctypes.byref(graph))
        return graph

    def _call(self, function: str, *arguments: object) -> None:
        cuda_driver.call(self._driver, function, *arguments)
