"""Memory of freed images goes back to the system at once."""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's <malloc.h>
_LARGE = 4 << 20


def return_large_arrays() -> bool:
    """Have glibc give the memory of arrays above 4 MiB back to the system when they are freed.

    By default glibc raises that limit to 32 MiB as images come and go, and then keeps their memory in the
    arenas of its threads: a sixth more resident memory for images of 8 megapixels. Call this once, early.

    Returns
    -------
    bool
        Whether the C library took it; others than glibc have no such setting.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGE))
