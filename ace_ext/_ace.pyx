# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The C kernel as Python functions. `equalization` checks shapes, ranges and contiguity before it calls them."""

from libc.stdint cimport uint8_t

from ace_ext._ace cimport (
    ACE_EMPTY_MASK, ACE_NO_MEMORY, ACE_OK, ACE_TOO_LARGE, ace_direct, ace_fast, ace_task,
)


cdef int check(int status) except -1:
    if status == ACE_OK:
        return 0
    if status == ACE_NO_MEMORY:
        raise MemoryError("not enough memory for the scratch buffers of ACE")
    if status == ACE_TOO_LARGE:
        raise OverflowError("the image is too large: the size of a scratch buffer overflows")
    if status == ACE_EMPTY_MASK:
        raise ValueError("the mask is empty: at least one pixel must be True")
    raise ValueError("the kernel refused its arguments: the image is empty or alpha is not in [1, 255]")


def fast(const uint8_t[:, :, ::1] image, const uint8_t[:, ::1] mask, double alpha, uint8_t[:, :, ::1] equalized,
         float[:, :, ::1] response):
    cdef ace_task task = ace_task(image.shape[0], image.shape[1], image.shape[2], alpha)
    cdef const uint8_t *inside = NULL
    cdef float *unrounded = NULL
    cdef int status
    if mask is not None:
        inside = &mask[0, 0]
    if response is not None:
        unrounded = &response[0, 0, 0]
    with nogil:
        status = ace_fast(&task, &image[0, 0, 0], inside, &equalized[0, 0, 0], unrounded)
    check(status)


def direct(const float[:, ::1] intensity, const uint8_t[:, ::1] mask, double alpha, const size_t[::1] pixels,
           double[::1] response):
    cdef const uint8_t *inside = NULL
    cdef int status
    if mask is not None:
        inside = &mask[0, 0]
    with nogil:
        status = ace_direct(intensity.shape[0], intensity.shape[1], alpha, &intensity[0, 0], inside,
                            pixels.shape[0], &pixels[0], &response[0])
    check(status)
