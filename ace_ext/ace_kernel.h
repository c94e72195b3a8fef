/* What the files share: the plan of a call, the memory for it (ace_memory.c), the threads that share its work
 * (ace_threads.c), and the variants of the kernel, which do the work (ace_kernel.c). */
#ifndef RETINAGAN_ACE_KERNEL_H
#define RETINAGAN_ACE_KERNEL_H

#include "ace.h"
#include "ace_assumptions.h"

enum {
    LANES = 8,          /* of a group of an expansion of r: the constant, and seven terms */
    MAX_GROUPS = 3,
    MAX_LANES = MAX_GROUPS * LANES,
    MARGIN = 4,         /* cells around each level of the pyramid: twice the radius of a blur */
    RING = 5,           /* rows in the window of a blur */
    MAX_LEVELS = 40,    /* of a pyramid: enough below 2^38 blocks a side */
    MAX_SIDE = 32,      /* of a block, in pixels */
    ITERATIONS = 2,     /* of the search for an expansion */
    F_LIMIT = 32767,    /* largest magnitudes in fixed point: f fills 16 bits; */
    G_LIMIT = 2046,     /* 16 values of g add up in 16 bits; */
    COEFFICIENT_LIMIT = 15000,  /* the difference of two coefficients fits in 16 bits */
    STRIP = 1024        /* pixels whose coefficients are expanded at a time: 16 KiB, half of a first-level cache */
};

enum { EMPTY, PARTLY, FULLY };

/* Vectors of eight lanes. The compiler maps them to what the machine has. */
typedef int16_t short8 __attribute__((vector_size(16), may_alias));
typedef int32_t int8x __attribute__((vector_size(32), may_alias));

_Static_assert(sizeof(short8) == LANES * sizeof(int16_t) && sizeof(int8x) == LANES * sizeof(int32_t),
               "a vector has a lane for each term of a group");
/* Rounding with a carry of at most 1/2 adds at most 1 to a limit (round_lanes). */
_Static_assert(16 * (G_LIMIT + 1) <= INT16_MAX, "16 values of g add up in 16 bits");
/* The slack of 2384 covers weights that are slightly negative near a block's own cell, and rounding. */
_Static_assert(2 * COEFFICIENT_LIMIT + 2384 <= INT16_MAX, "the difference of two coefficients fits in 16 bits");
_Static_assert(F_LIMIT <= INT16_MAX, "f fits in 16 bits");

/* r(a - b) = sum over groups and lanes k of f[a][k] g[b][k], for grey levels a and b, in fixed point. */
typedef struct {
    short8 *f, *g;     /* groups x levels */
    float unit[MAX_GROUPS][LANES]; /* weighted means of g times this are the coefficients to multiply f with */
    int shift;         /* f . coefficients, shifted right by this, is the response */
    double response;   /* the response times this is R */
} expansion;

/* A block of (has_third ? 3 : 1) << shift pixels a side, and what its own cell and the first two blurs contribute to
 * the convolution with 1/d, in units of 1/side. */
typedef struct {
    size_t side;
    int has_third, shift;
    float centre, first, second;
} ace_block;

/* A level of the pyramid: rows x columns cells and a margin, `stride` cells from row to row. */
typedef struct {
    size_t rows, columns, stride;
    float *cells;
} pyramid_level;

/* Scratch memory that belongs to one thread. */
typedef struct {
    uint32_t *histogram;       /* channels x levels: of a sample of the thread's rows */
    int (*extremes)[2];        /* channels: the lowest and the highest grey level of the thread's rows */
    double *row_weight, *column_weight;  /* levels */
    double *u, *v;             /* levels x groups x LANES */
    float *ring;               /* RING + 1 rows of the finest level */
    short8 *line, *rise, *strip;  /* coefficients: of a row of the grid, from cell to cell, and of a strip's pixels */
    int16_t *addend;           /* a group's response over a strip */
    int (*ranges)[2];          /* channels: the range of the response over the thread's rows */
} thread_scratch;

/* One call. Pixels and cells are those of the mask's bounding box. */
typedef struct {
    const ace_task *task;
    const void *image;         /* at the box's first pixel */
    const uint8_t *mask;
    void *result;
    size_t rows, columns;
    const ace_block *block;
    int levels;                /* grey levels */
    int groups;                /* of an expansion */
    size_t sample;             /* one pixel in this many counts in the histogram */
    void *level;               /* channels x rows x columns: the pixels' grey levels, 8 or 16 bit */
    int16_t *response;         /* channels x rows x columns */
    uint8_t *occupied;         /* (grid rows + 2) x (grid columns + 2): how much of a block lies in the mask */
    size_t depth, pyramids;    /* the channels share the pyramids */
    pyramid_level (*pyramid)[MAX_LEVELS];
    expansion *expansions;     /* channels */
    thread_scratch *scratch;   /* threads */
    int (*ranges)[2];          /* channels: the range of the response */
} ace_plan;

typedef struct {
    /* Reads the grey levels of rows `from` to `to`, and a histogram of a sample of them. */
    void (*read_rows)(const ace_plan *plan, thread_scratch *scratch, size_t from, size_t to);
    /* Finds the expansion of r for a histogram of grey levels whose extremes are given. */
    void (*expand)(const ace_plan *plan, thread_scratch *scratch, const uint32_t *histogram, const int *extremes,
                   expansion *result);
    /* Sums a group's g over the blocks of rows `from` to `to` of the grid. */
    void (*sum_blocks)(const ace_plan *plan, size_t channel, int group, size_t from, size_t to);
    /* Convolves those sums with 1/d: the coefficients. */
    void (*convolve)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group);
    /* Adds a group's part to the response at rows `from` to `to`; after the last group, finds the response's range. */
    void (*respond)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group, size_t from, size_t to);
    /* Writes the result at rows `from` to `to`. */
    void (*stretch)(const ace_plan *plan, size_t from, size_t to);
} ace_kernel;

/* NULL if the machine has no such variant. */
const ace_kernel *ace_choose_kernel(int variant, int is_float);

/* Deals out the workspace's memory to the plan, for grey levels of `level_size` bytes; gets more where it is too
 * little. Returns ACE_OK, ACE_TOO_LARGE or ACE_NO_MEMORY. */
int ace_reserve(ace_plan *plan, ace_workspace *workspace, size_t level_size);

/* Does the work of a plan that has its memory. Returns ACE_OK, ACE_NO_MEMORY or ACE_NO_THREAD. */
int ace_work_together(const ace_plan *plan, const ace_kernel *kernel);

static inline const pyramid_level *pyramid_of(const ace_plan *plan, size_t channel)
{
    return plan->pyramid[channel % plan->pyramids];
}

/* Coefficients overwrite the start of the finest level, for the grid and one cell around it. */
static inline int16_t *coefficient_row(const pyramid_level *finest, size_t row)
{
    return (int16_t *)finest->cells + row * (finest->columns + 2) * LANES;
}

#endif
