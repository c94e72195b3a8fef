"""The GPU's primary context, shared with everything in the process that uses CUDA."""

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
            f"pycuda cannot be imported ({one_line(error)}): pip install pycuda, which needs the CUDA toolkit"
        ) from None


class PrimaryContext:
    """A GPU's primary context, retained until `release`.

    It is current only inside ``with context.current()``. Outside, each thread keeps the context that the host
    program has set.

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
        """Make it the current context of this thread until the block ends."""
        self._context.push()
        try:
            yield
        finally:
            self._cuda.Context.pop()

    def release(self) -> None:
        """Release the context; from any thread, once."""
        # pycuda releases only a context that is current or that this thread made, and leaks others. It also
        # treats the release as a pop, which it is not for a primary context: pop it by hand.
        self._context.push()
        cuda_driver.call(cuda_driver.load(), "cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        self._context.detach()
