import os
import subprocess
import sys

import cv2
import pytest

from retinagan.runtime.forked import spare_opencv_threads


def test_in_the_process_that_loaded_it_nothing_changes():
    before = cv2.getNumThreads()
    spare_opencv_threads()
    assert cv2.getNumThreads() == before


FORK = """
import os, sys, warnings
import cv2, numpy as np
from retinagan.runtime.forked import spare_opencv_threads
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork with threads
image = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
cv2.setNumThreads(2)
expected = cv2.GaussianBlur(image, (0, 0), 5)  # starts the threads
child = os.fork()
if child == 0:
    spare_opencv_threads()
    same = (cv2.GaussianBlur(image, (0, 0), 5) == expected).all()
    print(cv2.getNumThreads(), same, flush=True)
    os._exit(0)
print("child", os.waitpid(child, 0)[1], "parent", cv2.getNumThreads())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_computes_in_its_own_thread_alone():
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == "1 True\nchild 0 parent 2\n"
