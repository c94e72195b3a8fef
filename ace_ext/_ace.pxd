from libc.stdint cimport uint8_t


cdef extern from "ace.h" nogil:
    int ACE_OK
    int ACE_NO_MEMORY
    int ACE_TOO_LARGE
    int ACE_EMPTY_MASK
    int ACE_BAD_ARGUMENT

    ctypedef struct ace_task:
        size_t height
        size_t width
        size_t channels
        double alpha

    int ace_fast(const ace_task *task, const uint8_t *image, const uint8_t *mask, uint8_t *equalized,
                 float *response)
    int ace_direct(size_t height, size_t width, double alpha, const float *intensity, const uint8_t *mask,
                   size_t count, const size_t *pixels, double *response)
