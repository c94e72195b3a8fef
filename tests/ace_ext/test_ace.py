"""The seam between the C kernel and Python: each return code is an error of its own."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retinagan.ace_ext import Workspace, _ace

HEADER = Path(__file__).parents[2] / "ace_ext" / "ace.h"


def statuses():
    """The return codes of ace.h, by name, in order from 0."""
    text = re.search(r"enum \{\s*(ACE_OK.*?)\};", HEADER.read_text(), re.DOTALL)[1]
    return {name: number for number, name in enumerate(re.findall(r"\b(ACE_\w+)\b(?! is)", text))}


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ACE_NO_MEMORY", MemoryError, "not enough memory for ACE's scratch buffers; pass a smaller image"),
        ("ACE_NO_THREAD", RuntimeError, "a thread of ACE could not be started; use threads=1"),
        ("ACE_TOO_LARGE", OverflowError, "the image is too large: the size of a buffer overflows"),
        ("ACE_EMPTY_MASK", ValueError, "mask has no True pixel, expected at least one"),
        ("ACE_EMPTY_IMAGE", ValueError, "the image is empty: its height, width or number of channels is 0"),
        ("ACE_BAD_ALPHA", ValueError, "alpha is outside 1 to 255; the usual value is 5"),
        ("ACE_ZERO_THREADS", ValueError, "threads is 0, expected at least 1"),
        ("ACE_NO_VARIANT", ValueError, "this machine does not support the requested kernel variant"),
    ],
)
def test_each_return_code_has_its_own_message(name, error, message):
    with pytest.raises(error, match=message):
        _ace.raise_for_status(statuses()[name])


def test_no_return_code_lacks_a_message_and_no_two_share_one():
    assert set(_ace.ERRORS) == set(statuses().values()) - {0}
    assert len({message for _, message in _ace.ERRORS.values()}) == len(_ace.ERRORS)
    assert _ace.raise_for_status(0) is None


def test_an_unknown_return_code_is_a_defect():
    with pytest.raises(SystemError, match="returned the unknown status 99; please report it"):
        _ace.raise_for_status(99)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((0, 4, 1), {}, "the image is empty"),
        ((4, 4, 1), {"alpha": 255.5}, "alpha is outside 1 to 255"),
        ((4, 4, 1), {"threads": 0}, "threads is 0"),
        ((4, 4, 1), {"variant": "other"}, "does not support the requested kernel variant"),
        ((4, 4, 1), {"mask": np.zeros((4, 4), np.uint8)}, "mask has no True pixel"),
    ],
)
def test_the_kernel_refuses_what_gets_past_python(shape, options, message, monkeypatch):
    monkeypatch.setitem(_ace.VARIANTS, "other", 99)
    image = np.zeros(shape, np.uint8)
    options = {"mask": None, "alpha": 5.0, "threads": 1, "variant": "best", **options}
    with pytest.raises(ValueError, match=message):
        _ace.equalize(
            image,
            options["mask"],
            options["alpha"],
            options["threads"],
            Workspace(),
            np.empty_like(image),
            np.empty((1, 2)),
            options["variant"],
        )


@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory by RLIMIT_AS and /proc")
@pytest.mark.parametrize(
    ("threads", "room", "error"),
    [
        (1, 1 << 20, "MemoryError: not enough memory for ACE's scratch buffers; pass a smaller image"),
        (64, 48 << 20, "RuntimeError: a thread of ACE could not be started; use threads=1"),
    ],
)
def test_a_process_that_runs_out_of_memory_or_threads_is_told_so(threads, room, error):
    """Threads need 8 MiB each for their stacks: `room` bytes hold the scratch memory but not 64 of them."""
    code = f"""
import resource, threading
import numpy as np
from retinagan.ace_ext import ace
threading.stack_size()
image, out = np.zeros((800, 800), np.uint8), np.zeros((800, 800), np.uint8)
ace(image[:40], out=out[:40])
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + {room}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
ace(image, threads={threads}, out=out)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == error
