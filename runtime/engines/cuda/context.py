"""The GPU's primary context, shared with whatever else in the process uses CUDA."""

import ctypes
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from retinagan.runtime.engines.cuda import driver as cuda_driver
from retinagan.runtime.engines.model_file import one_line
from retinagan.runtime.errors import EngineError


def import_pycuda() -> Any:
    """Import `pycuda.driver`, which needs NVIDIA's driver.

    Raises
    ------
    EngineError
        If it cannot be imported.
    """
    try:
        return importlib.import_module("pycuda.driver")
    except ImportError as error:
        raise EngineError(
            f"pycuda cannot be imported ({one_line(error)}): pip install pycuda, which builds it with the "
            "CUDA toolkit that it finds"
        ) from None


class PrimaryContext:
    """A GPU's primary context, retained until `release`.

    It is current only inside ``with context.current()``: before and after, each thread has the context
    that the host program gave it.

    Parameters
    ----------
    cuda : module
        `pycuda.driver`.
    index : int
        The GPU's number, from 0.

    Raises
    ------
    EngineError
        If the driver refuses.
    """

    def __init__(self, cuda: Any, index: int = 0) -> None:
        self._cuda = cuda
        try:
            cuda.init()
            self._context = cuda.Device(index).retain_primary_context()
        except cuda.Error as error:
            raise EngineError(f"CUDA does not start: {one_line(error)}") from None

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it this thread's context for a while."""
        self._context.push()
        try:
            yield
        finally:
            self._cuda.Context.pop()

    def release(self) -> None:
        """Give it back; from any thread, once."""
        # pycuda releases a context that is current, or one that this thread made, and loses any other. It
        # takes the release for a pop, which for a primary context it is not: pop by hand.
        self._context.push()
        cuda_driver.call(cuda_driver.load(), "cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        self._context.detach()
