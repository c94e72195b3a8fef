"""What a forked process needs before it uses OpenCV, whose threads stayed in its parent."""

import os

import cv2

_LOADED_IN = os.getpid()


def spare_opencv_threads() -> None:
    """In a forked process, make OpenCV compute only in the caller's thread; elsewhere do nothing.

    OpenCV does not notice a fork: it goes on to wake threads that are not there, and waits for ever where one
    of them held a lock at that moment.
    """
    if os.getpid() != _LOADED_IN:
        cv2.setNumThreads(0)  # 1 would wait for the threads to end
