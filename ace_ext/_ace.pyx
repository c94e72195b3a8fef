# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The C kernel as Python functions. `equalization` checks shapes, dtypes and contiguity before calling them."""

from threading import Lock

from libc.stdint cimport uint8_t

from ace_ext._ace cimport (
    ACE_AVX2, ACE_BAD_ALPHA, ACE_BEST, ACE_EMPTY_IMAGE, ACE_EMPTY_MASK, ACE_NO_MEMORY, ACE_NO_THREAD, ACE_NO_VARIANT,
    ACE_OK, ACE_PORTABLE, ACE_TOO_LARGE, ACE_ZERO_THREADS, ace_direct, ace_equalize_8bit, ace_equalize_float,
    ace_points, ace_release, ace_supports, ace_task, ace_workspace,
)

ctypedef fused pixel:
    uint8_t
    float

VARIANTS = {"best": ACE_BEST, "portable": ACE_PORTABLE, "avx2": ACE_AVX2}


cdef class Workspace:
    """Scratch memory of `ace`, reused from call to call, so that a camera loop allocates nothing.

    It grows to what the largest image needs (from 512x512 on, at most twice the image's size as float32) and is
    freed with the object. Calls from several threads on one workspace wait for each other; give each thread its own.
    """

    cdef ace_workspace memory
    cdef readonly object lock

    def __cinit__(self):
        self.lock = Lock()

    def __dealloc__(self):
        ace_release(&self.memory)

    @property
    def nbytes(self):
        """Number of bytes held."""
        return self.memory.bytes


# What each status of the kernel means to a caller of `ace`.
ERRORS = {
    ACE_NO_MEMORY: (MemoryError, "not enough memory for ACE's scratch buffers; pass a smaller image"),
    ACE_NO_THREAD: (RuntimeError, "a thread of ACE could not be started; use threads=1"),
    ACE_TOO_LARGE: (OverflowError, "the image is too large: the size of a buffer overflows; pass a smaller image"),
    ACE_EMPTY_MASK: (ValueError, "mask has no True pixel, expected at least one; omit mask to use every pixel"),
    ACE_EMPTY_IMAGE: (ValueError, "the image is empty: its height, width or number of channels is 0"),
    ACE_BAD_ALPHA: (ValueError, "alpha is outside 1 to 255; the usual value is 5"),
    ACE_ZERO_THREADS: (ValueError, "threads is 0, expected at least 1"),
    ACE_NO_VARIANT: (ValueError, "this machine does not support the requested kernel variant; use 'best'"),
}


def raise_for_status(int status):
    """Raise the error that a status of the kernel stands for; return None for success."""
    if status == ACE_OK:
        return
    if status not in ERRORS:
        raise SystemError(f"ACE's kernel returned the unknown status {status}; please report it")
    error, message = ERRORS[status]
    raise error(message)


def supports(str variant):
    """Return whether this machine supports a variant of the kernel."""
    return bool(ace_supports(VARIANTS[variant]))


def equalize(const pixel[:, :, ::1] image, const uint8_t[:, ::1] mask, double alpha, size_t threads,
             Workspace workspace, pixel[:, :, ::1] result, double[:, ::1] ranges, str variant="best"):
    """Equalize into `result`; `ranges` (C, 2) receives the smallest and the largest R of each channel."""
    cdef ace_task task = ace_task(image.shape[0], image.shape[1], image.shape[2], alpha, threads, VARIANTS[variant])
    cdef const uint8_t *inside = NULL
    cdef int status
    if mask is not None:
        inside = &mask[0, 0]
    with workspace.lock, nogil:
        if pixel is uint8_t:
            status = ace_equalize_8bit(&task, &image[0, 0, 0], inside, &workspace.memory, &result[0, 0, 0],
                                       &ranges[0, 0])
        else:
            status = ace_equalize_float(&task, &image[0, 0, 0], inside, &workspace.memory, &result[0, 0, 0],
                                        &ranges[0, 0])
    raise_for_status(status)


def direct(const float[::1] row, const float[::1] column, const float[::1] intensity, double alpha,
           const size_t[::1] chosen, double[::1] response):
    """Compute R by direct summation over all points, at the chosen ones."""
    cdef ace_points points = ace_points(row.shape[0], &row[0], &column[0], &intensity[0])
    with nogil:
        ace_direct(&points, alpha, chosen.shape[0], &chosen[0], &response[0])
