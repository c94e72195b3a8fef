"""A GPU for tests: a driver compiled from fake_libcuda.c, and the part of pycuda that is used, over it."""

import ctypes
import importlib.util
import subprocess
import threading
from pathlib import Path
from types import ModuleType

import numpy as np

REAL_PYCUDA = "RETINAGAN_TEST_REAL_PYCUDA"
"""The variable that names the fake libcuda.so.1 under a process with the real pycuda."""

SOURCE = Path(__file__).with_name("fake_libcuda.c")
LIVE = ("primary_references", "allocations", "pinned", "streams", "graphs")
"""What the driver counts: up when it is made, down when it is freed."""


def compile_driver(folder: Path, name: str = "libfakecuda.so", missing: tuple[str, ...] = ()) -> Path:
    """Compile the driver; functions in `missing` are added as stubs that report "not supported"."""
    stubs = folder / "stubs.c"
    stubs.write_text("".join(f"int {function}(void) {{ return 801; }}\n" for function in missing))
    library = folder / name
    command = ["gcc", "-shared", "-fPIC", "-w", f"-Wl,-soname,{name}", "-o", str(library)]
    subprocess.run([*command, str(SOURCE), str(stubs), "-lpthread"], check=True)
    return library


def compile_driver_for_pycuda(folder: Path) -> Path:
    """Compile the driver as the libcuda.so.1 that pycuda wants; ImportError if there is no pycuda."""
    found = importlib.util.find_spec("pycuda")
    if found is None or found.origin is None:
        raise ImportError("pycuda is not installed; it is built with CUDA's toolkit: pip install pycuda")
    (extension,) = Path(found.origin).parent.glob("_driver*.so")
    wanted = _symbols(extension, "--undefined-only") - _symbols(compile_driver(folder), "--defined-only")
    return compile_driver(folder, "libcuda.so.1", tuple(sorted(wanted)))


def _symbols(library: Path, which: str) -> set[str]:
    command = ["nm", "-D", which, str(library)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in lines if line.split()[-1].startswith("cu")}


class FakeDriver:
    """The compiled driver, with its counters and switches as attributes, such as `allocations`."""

    def __init__(self, library: Path) -> None:
        self.__dict__["library"] = library
        self.__dict__["calls"] = ctypes.CDLL(str(library))

    def __getattr__(self, name: str) -> int:
        return ctypes.c_int.in_dll(self.calls, f"fake_{name}").value

    def __setattr__(self, name: str, value: int) -> None:
        ctypes.c_int.in_dll(self.calls, f"fake_{name}").value = value

    def context_depth(self) -> int:
        """Return how many contexts are on this thread's stack."""
        return self.calls.fake_context_depth()

    def live(self) -> dict[str, int]:
        """Return everything that was made and not freed."""
        return {name: getattr(self, name) for name in LIVE if getattr(self, name)}


def fake_pycuda(driver: FakeDriver) -> ModuleType:
    """Make a module that wraps the driver as `pycuda.driver` does, with contexts and their stack."""
    library, own = driver.calls, threading.local()
    module = ModuleType("pycuda.driver")

    def stack() -> list:
        if not hasattr(own, "stack"):
            own.stack = []
        return own.stack

    class Error(Exception):
        pass

    class LogicError(Error):
        pass

    class MemoryError(Error):
        pass

    def call(function: str, *arguments: object) -> None:
        code = getattr(library, function)(*arguments)
        if code:
            raise (MemoryError if code == 2 else LogicError)(f"{function} failed: error {code}")

    def pointer(value: int) -> ctypes.c_void_p:
        return ctypes.c_void_p(value)

    class Context:
        def __init__(self, handle: int) -> None:
            self._handle = handle

        def push(self) -> None:
            if stack():
                call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
            call("cuCtxPushCurrent_v2", pointer(self._handle))
            stack().append(self)

        @staticmethod
        def pop() -> None:
            call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
            stack().pop()
            if stack():
                call("cuCtxPushCurrent_v2", pointer(stack()[-1]._handle))

        def detach(self) -> None:
            # As pycuda does it: where the context is not current, it stays on the driver's stack.
            if not (stack() and stack()[-1] is self):
                call("cuCtxPushCurrent_v2", pointer(self._handle))
                call("cuDevicePrimaryCtxRelease_v2", 0)
                return
            call("cuDevicePrimaryCtxRelease_v2", 0)
            stack().pop()
            if stack():
                call("cuCtxPushCurrent_v2", pointer(stack()[-1]._handle))

    class Device:
        def __init__(self, ordinal: int) -> None:
            self._ordinal = ordinal

        def retain_primary_context(self) -> Context:
            handle = ctypes.c_void_p()
            call("cuDevicePrimaryCtxRetain", ctypes.byref(handle), self._ordinal)
            return Context(handle.value)

    class DeviceAllocation:
        def __init__(self, size: int) -> None:
            self._address = ctypes.c_size_t()
            call("cuMemAlloc_v2", ctypes.byref(self._address), ctypes.c_size_t(size))

        def __int__(self) -> int:
            return self._address.value

        def free(self) -> None:
            call("cuMemFree_v2", self._address)

    class PagelockedHostAllocation:
        def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
            address = ctypes.c_void_p()
            size = int(np.prod(shape)) * dtype.itemsize
            call("cuMemHostAlloc", ctypes.byref(address), ctypes.c_size_t(size), 0)
            self._address = address
            self.__array_interface__ = {
                "shape": shape,
                "typestr": dtype.str,
                "data": (address.value, False),
                "version": 3,
            }

        def free(self) -> None:
            call("cuMemFreeHost", self._address)

    class Stream:
        def __init__(self) -> None:
            handle = ctypes.c_void_p()
            call("cuStreamCreate", ctypes.byref(handle), 0)
            self.handle = handle.value

        def synchronize(self) -> None:
            call("cuStreamSynchronize", pointer(self.handle))

        def __del__(self) -> None:
            if hasattr(self, "handle"):
                call("cuStreamDestroy_v2", pointer(self.handle))

    def pagelocked_empty(shape, dtype):
        return np.asarray(PagelockedHostAllocation(shape, np.dtype(dtype)))

    def memcpy_htod_async(dest, src, stream):
        assert src.flags.c_contiguous
        size = ctypes.c_size_t(src.nbytes)
        call("cuMemcpyHtoDAsync_v2", dest._address, pointer(src.ctypes.data), size, pointer(stream.handle))

    def memcpy_dtoh_async(dest, src, stream):
        assert dest.flags.c_contiguous
        size = ctypes.c_size_t(dest.nbytes)
        call("cuMemcpyDtoHAsync_v2", pointer(dest.ctypes.data), src._address, size, pointer(stream.handle))

    module.init = lambda: call("cuInit", 0)
    module.mem_alloc = DeviceAllocation
    functions = (pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async)
    for value in (Error, LogicError, MemoryError, Context, Device, Stream, *functions):
        setattr(module, value.__name__, value)
    module.DeviceAllocation, module.PagelockedHostAllocation = DeviceAllocation, PagelockedHostAllocation
    return module
