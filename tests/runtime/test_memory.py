import ctypes
import platform

import pytest

from retinagan.runtime.memory import return_large_arrays


def test_glibc_takes_it():
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the C library is not glibc")
    assert return_large_arrays()


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_another_c_library_is_left_alone(error, monkeypatch):
    def absent(name):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert not return_large_arrays()
