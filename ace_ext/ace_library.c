/* What programs in C and C++ have in place of Python's exceptions and package metadata. */
#include "ace.h"

#define QUOTE2(x) #x
#define QUOTE(x) QUOTE2(x)

const char *ace_version(void)
{
    return QUOTE(ACE_VERSION_MAJOR) "." QUOTE(ACE_VERSION_MINOR) "." QUOTE(ACE_VERSION_PATCH);
}

const char *ace_message(int status)
{
    switch (status) {
    case ACE_OK:
        return "success";
    case ACE_NO_MEMORY:
        return "not enough memory for the scratch buffers; pass a smaller image";
    case ACE_NO_THREAD:
        return "a thread could not be started; set threads to 1";
    case ACE_TOO_LARGE:
        return "the image is too large: the size of a buffer overflows; pass a smaller image";
    case ACE_EMPTY_MASK:
        return "the mask has no pixel other than 0, expected at least one; pass NULL to use every pixel";
    case ACE_EMPTY_IMAGE:
        return "the image is empty: its height, width or number of channels is 0";
    case ACE_BAD_ALPHA:
        return "alpha is outside 1 to 255; the usual value is 5";
    case ACE_ZERO_THREADS:
        return "threads is 0, expected at least 1";
    case ACE_NO_VARIANT:
        return "this machine does not support the requested variant of the kernel; use ACE_BEST";
    default:
        return "unknown status: the program's ace.h and the library are of different versions";
    }
}
