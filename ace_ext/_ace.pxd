from libc.stdint cimport uint8_t


cdef extern from "ace.h" nogil:
    int ACE_OK
    int ACE_NO_MEMORY
    int ACE_NO_THREAD
    int ACE_TOO_LARGE
    int ACE_EMPTY_MASK
    int ACE_EMPTY_IMAGE
    int ACE_BAD_ALPHA
    int ACE_ZERO_THREADS
    int ACE_NO_VARIANT
    int ACE_BEST
    int ACE_PORTABLE
    int ACE_AVX2

    ctypedef struct ace_task:
        size_t height
        size_t width
        size_t channels
        double alpha
        size_t threads
        int variant

    ctypedef struct ace_workspace:
        void *memory
        size_t bytes

    ctypedef struct ace_points:
        size_t count
        const float *row
        const float *column
        const float *intensity

    void ace_release(ace_workspace *workspace)
    int ace_supports(int variant)
    int ace_equalize_8bit(const ace_task *task, const uint8_t *image, const uint8_t *mask,
                          ace_workspace *workspace, uint8_t *result, double *range)
    int ace_equalize_float(const ace_task *task, const float *image, const uint8_t *mask,
                           ace_workspace *workspace, float *result, double *range)
    void ace_direct(const ace_points *points, double alpha, size_t count, const size_t *chosen, double *response)
