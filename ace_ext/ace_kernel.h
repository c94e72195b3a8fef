/* What ace.c, which lays out memory and divides the work, shares with the variants of the kernel, which do it. */
#ifndef RETINAGAN_ACE_KERNEL_H
#define RETINAGAN_ACE_KERNEL_H

#include "ace.h"

enum {
    LANES = 8,          /* of a group of an expansion of r: the constant, and seven terms */
    MAX_GROUPS = 3,
    MAX_LANES = MAX_GROUPS * LANES,
    MARGIN = 4,         /* cells round each level of the pyramid: the reach of a blur, twice */
    RING = 5,           /* rows a blur looks at */
    MAX_LEVELS = 40,    /* of a pyramid */
    MAX_SIDE = 32,      /* of a block */
    ITERATIONS = 2,     /* of the search for an expansion */
    F_LIMIT = 32767,    /* sizes of the numbers in fixed point: f, */
    G_LIMIT = 2046,     /* g, of which 16 add up in 16 bits, */
    COEFFICIENT_LIMIT = 15000,  /* and coefficients, whose differences are taken in 16 bits */
    STRIP = 1024        /* pixels whose coefficients are expanded at a time: they stay in the first cache */
};

enum { EMPTY, PARTLY, FULLY };

/* Vectors of eight lanes. The compiler makes of them what the machine has. */
typedef int16_t short8 __attribute__((vector_size(16), may_alias));
typedef int32_t int8x __attribute__((vector_size(32), may_alias));

/* r(a - b) = sum over groups and lanes k of f[a][k] g[b][k], for grey levels a and b, in fixed point. */
typedef struct {
    short8 *f, *g;     /* groups x levels */
    float unit[MAX_GROUPS][LANES]; /* weighted means of g, times this, are the coefficients that f is multiplied with */
    int shift;         /* f . coefficients, shifted right by so much, is the response */
    double response;   /* and that, times this, is R */
} expansion;

/* The size of a block, (has_third ? 3 : 1) << shift, and how much it and the first two blurs contribute to the
 * convolution with 1/d, in units of 1/side. */
typedef struct {
    size_t side;
    int has_third, shift;
    float centre, first, second;
} ace_block;

/* A level of the pyramid. rows x columns cells and a margin, `stride` cells from row to row. */
typedef struct {
    size_t rows, columns, stride;
    float *cells;
} pyramid_level;

/* What a thread has to itself. */
typedef struct {
    uint32_t *histogram;       /* channels x levels: of a sample of the thread's rows */
    int (*extremes)[2];        /* channels: the least and the largest grey level of the thread's rows */
    double *row_weight, *column_weight;  /* levels */
    double *u, *v;             /* levels x groups x LANES */
    float *ring;               /* RING + 1 rows of the finest level */
    short8 *line, *rise, *strip;  /* coefficients: a row of the grid, from cell to cell; the pixels of a strip */
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
    size_t sample;             /* one pixel in so many counts in the histogram */
    void *level;               /* channels x rows x columns: the pixels' grey levels, 8 or 16 bit */
    int16_t *response;         /* channels x rows x columns */
    uint8_t *occupied;         /* (grid rows + 2) x (grid columns + 2): how much of a block lies in the mask */
    size_t depth, pyramids;    /* channels take turns at the pyramids */
    pyramid_level (*pyramid)[MAX_LEVELS];
    expansion *expansions;     /* channels */
    thread_scratch *scratch;   /* threads */
    int (*ranges)[2];          /* channels: the range of the response */
} ace_plan;

typedef struct {
    /* Grey levels of rows `from` to `to`, and a histogram of a sample of them. */
    void (*read_rows)(const ace_plan *plan, thread_scratch *scratch, size_t from, size_t to);
    /* The expansion of r for a histogram of grey levels, the extremes of which are given. */
    void (*expand)(const ace_plan *plan, thread_scratch *scratch, const uint32_t *histogram, const int *extremes,
                   expansion *result);
    /* A group's g, summed over the blocks of rows `from` to `to` of the grid. */
    void (*sum_blocks)(const ace_plan *plan, size_t channel, int group, size_t from, size_t to);
    /* Coefficients: those sums, convolved with 1/d. */
    void (*convolve)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group);
    /* What a group adds to the response at rows `from` to `to`, and the response's range after the last group. */
    void (*respond)(const ace_plan *plan, thread_scratch *scratch, size_t channel, int group, size_t from, size_t to);
    /* The result at rows `from` to `to`. */
    void (*stretch)(const ace_plan *plan, size_t from, size_t to);
} ace_kernel;

/* NULL if the machine has no such variant. */
const ace_kernel *ace_choose_kernel(int variant, int is_float);

static inline const pyramid_level *pyramid_of(const ace_plan *plan, size_t channel)
{
    return plan->pyramid[channel % plan->pyramids];
}

/* Coefficients lie at the start of the finest level's memory, for the grid and one cell around it. */
static inline int16_t *coefficient_row(const pyramid_level *finest, size_t row)
{
    return (int16_t *)finest->cells + row * (finest->columns + 2) * LANES;
}

#endif
