import ctypes
import sys
import threading

import pytest

from retinagan.runtime.engines.cuda.context import PrimaryContext, import_pycuda
from retinagan.runtime.errors import EngineError


def current_context(driver) -> int | None:
    current = ctypes.c_void_p()
    driver.calls.cuCtxGetCurrent(ctypes.byref(current))
    return current.value


def test_pycuda_is_found(gpu):
    assert import_pycuda() is sys.modules["pycuda.driver"]


def test_without_pycuda(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(
        EngineError, match=r"pycuda cannot be imported \(.*\): pip install pycuda, which needs"
    ):
        import_pycuda()


def test_cuda_does_not_start(gpu, monkeypatch):
    cuda = import_pycuda()

    def refuse():
        raise cuda.LogicError("cuInit failed:\nno")

    monkeypatch.setattr(cuda, "init", refuse)
    with pytest.raises(EngineError) as caught:
        PrimaryContext(cuda)
    assert str(caught.value) == "CUDA does not start: cuInit failed: no"


def test_it_is_current_in_its_block_alone(gpu):
    context = PrimaryContext(import_pycuda())
    assert current_context(gpu) is None
    with context.current():
        first = current_context(gpu)
        assert first is not None
        with context.current():
            assert current_context(gpu) == first
        assert current_context(gpu) == first
    assert current_context(gpu) is None
    context.release()


def test_an_error_in_the_block_leaves_no_context_behind(gpu):
    context = PrimaryContext(import_pycuda())
    with pytest.raises(ZeroDivisionError), context.current():
        raise ZeroDivisionError
    assert gpu.context_depth() == 0
    context.release()


def test_the_host_programs_context_comes_back(gpu):
    host = ctypes.c_int()  # any address will do for a context
    context = PrimaryContext(import_pycuda())
    gpu.calls.cuCtxPushCurrent_v2(ctypes.byref(host))
    try:
        with context.current():
            assert current_context(gpu) != ctypes.addressof(host)
        assert current_context(gpu) == ctypes.addressof(host)
        context.release()
        assert current_context(gpu) == ctypes.addressof(host)
    finally:
        gpu.calls.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def test_any_thread_gives_it_back(gpu):
    context = PrimaryContext(import_pycuda())
    assert gpu.live() == {"primary_references": 1}
    depths = []
    thread = threading.Thread(target=lambda: (context.release(), depths.append(gpu.context_depth())))
    thread.start()
    thread.join()
    assert gpu.live() == {}
    assert depths == [0]


def test_two_of_them_share_the_gpu(gpu):
    one, other = PrimaryContext(import_pycuda()), PrimaryContext(import_pycuda())
    with one.current():
        mine = current_context(gpu)
    one.release()
    with other.current():
        assert current_context(gpu) == mine
    assert gpu.live() == {"primary_references": 1}
    other.release()
