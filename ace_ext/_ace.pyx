# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The C kernel as Python functions. `equalization` checks shapes, ranges and contiguity before it calls them."""

from threading import Lock

from libc.stdint cimport uint8_t

from ace_ext._ace cimport (
    ACE_AVX2, ACE_BEST, ACE_EMPTY_MASK, ACE_NO_MEMORY, ACE_NO_THREAD, ACE_OK, ACE_PORTABLE, ACE_TOO_LARGE,
    ace_direct, ace_equalize_8bit, ace_equalize_float, ace_points, ace_release, ace_supports, ace_task, ace_workspace,
)

ctypedef fused pixel:
    uint8_t
    float

VARIANTS = {"best": ACE_BEST, "portable": ACE_PORTABLE, "avx2": ACE_AVX2}


cdef class Workspace:
    """Scratch memory of `ace`, kept from call to call, so that a camera loop allocates none.

    It grows to what the largest image needs, at most twice the image as float32 from 512x512 on, and is given back
    with the object. Calls of several threads on one workspace wait for each other; give each thread its own.
    """

    cdef ace_workspace memory
    cdef readonly object lock

    def __cinit__(self):
        self.lock = Lock()

    def __dealloc__(self):
        ace_release(&self.memory)

    @property
    def nbytes(self):
        """Bytes held."""
        return self.memory.bytes


cdef int check(int status) except -1:
    if status == ACE_OK:
        return 0
    if status == ACE_NO_MEMORY:
        raise MemoryError("not enough memory for the scratch buffers of ACE; give it a smaller image")
    if status == ACE_NO_THREAD:
        raise RuntimeError("a thread of ACE could not be started; ask for fewer with threads=1")
    if status == ACE_TOO_LARGE:
        raise OverflowError("the image is too large: the size of a buffer overflows; give it a smaller one")
    if status == ACE_EMPTY_MASK:
        raise ValueError("mask has no True pixel, expected at least one; leave mask out to use every pixel")
    raise ValueError("the kernel of ACE refused its arguments")


def supports(str variant):
    """Whether this machine has a variant of the kernel."""
    return bool(ace_supports(VARIANTS[variant]))


def equalize(const pixel[:, :, ::1] image, const uint8_t[:, ::1] mask, double alpha, size_t threads,
             Workspace workspace, pixel[:, :, ::1] result, double[:, ::1] ranges, str variant="best"):
    """Equalize into `result`; `ranges` (C, 2) receives the least and the largest R of each channel."""
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
    check(status)


def direct(const float[::1] row, const float[::1] column, const float[::1] intensity, double alpha,
           const size_t[::1] chosen, double[::1] response):
    """R by the definition at the chosen ones of all points."""
    cdef ace_points points = ace_points(row.shape[0], &row[0], &column[0], &intensity[0])
    with nogil:
        ace_direct(&points, alpha, chosen.shape[0], &chosen[0], &response[0])
