/* Checks of the C kernel without Python, to be run under sanitizers and on other machines.
 * Prints one line per result; the lines are the same on every machine. Exits with 1 at the first failed check. */
#include "ace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                           \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                               \
        }                                                                          \
    } while (0)

static uint32_t state = 1;

static uint8_t noise(void)
{
    state = state * 1664525u + 1013904223u;
    return (uint8_t)(state >> 24);
}

typedef struct {
    size_t height, width, channels;
    uint8_t *image, *mask, *result;
    float *float_image, *float_result;
} picture;

static picture make(size_t height, size_t width, size_t channels)
{
    const size_t area = height * width, values = area * channels;
    picture p = {height, width, channels, malloc(values), malloc(area), malloc(values), malloc(values * sizeof(float)),
                 malloc(values * sizeof(float))};
    CHECK(p.image && p.mask && p.result && p.float_image && p.float_result);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            const double dy = (double)y - height / 2.0, dx = (double)x - width / 2.0;
            p.mask[y * width + x] = dy * dy / (height * height + 1.0) + dx * dx / (width * width + 1.0) < 0.22;
            for (size_t c = 0; c < channels; c++) {
                const size_t i = (y * width + x) * channels + c;
                p.image[i] = (uint8_t)((noise() >> 2) + (190 * (x + y * (c + 1))) / (width + height * (c + 1)));
                p.float_image[i] = (float)p.image[i] / 255.0f;
            }
        }
    p.mask[height / 2 * width + width / 2] = 1;
    return p;
}

static void discard(picture *p)
{
    free(p->image);
    free(p->mask);
    free(p->result);
    free(p->float_image);
    free(p->float_result);
}

static ace_task task_of(const picture *p, double alpha, size_t threads, int variant)
{
    return (ace_task){p->height, p->width, p->channels, alpha, threads, variant};
}

static uint32_t checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

/* Sizes around those at which blocks, tiles, strips and vectors end. Variants, threads and workspaces agree. */
static void check_shapes(void)
{
    static const size_t shapes[][3] = {
        {1, 1, 1},    {1, 2, 3},    {3, 5, 3},    {33, 33, 1},  {1, 1500, 2}, {1500, 1, 3},  {7, 200, 3},   {45, 61, 4},
        {120, 99, 3}, {193, 200, 3}, {392, 389, 1}, {452, 461, 3}, {455, 460, 3}, {458, 455, 2}, {40, 2600, 1}, {605, 613, 1},
        {905, 911, 1},
    };
    ace_workspace kept = {NULL, 0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        picture p = make(shapes[i][0], shapes[i][1], shapes[i][2]);
        const size_t values = p.height * p.width * p.channels;
        uint8_t *other = malloc(values);
        CHECK(other);
        for (int masked = 0; masked < 2; masked++) {
            const uint8_t *mask = masked ? p.mask : NULL;
            const double alpha = i % 3 ? 5.0 : 15.0;
            ace_task task = task_of(&p, alpha, 1, ACE_BEST);
            CHECK(!ace_equalize_8bit(&task, p.image, mask, &kept, p.result, NULL));
            CHECK(!ace_equalize_float(&task, p.float_image, mask, &kept, p.float_result, NULL));
            task = task_of(&p, alpha, 4, ACE_PORTABLE);
            ace_workspace fresh = {NULL, 0};
            CHECK(!ace_equalize_8bit(&task, p.image, mask, &fresh, other, NULL));
            CHECK(!memcmp(p.result, other, values));
            ace_release(&fresh);
            printf("%zux%zux%zu %s %08x %08x\n", p.height, p.width, p.channels, masked ? "masked" : "whole",
                   (unsigned)checksum(p.result, values), (unsigned)checksum(p.float_result, values * sizeof(float)));
        }
        free(other);
        discard(&p);
    }
    ace_release(&kept);
    CHECK(!kept.memory && !kept.bytes);
}

/* R before the stretch, against direct summation at some pixels. */
static void check_definition(void)
{
    enum { SAMPLE = 60 };
    static const size_t sides[][2] = {{20, 24}, {90, 70}, {300, 280}, {470, 460}};
    for (size_t i = 0; i < 4; i++) {
        picture p = make(sides[i][0], sides[i][1], 1);
        const size_t area = p.height * p.width;
        float *row = malloc(3 * area * sizeof *row), *column = row + area, *intensity = column + area;
        size_t chosen[SAMPLE], place[SAMPLE], count = 0;
        double exact[SAMPLE], range[2];
        CHECK(row);
        ace_points points = {0, row, column, intensity};
        for (size_t at = 0; at < area; at++)
            if (p.mask[at]) {
                row[points.count] = (float)(at / p.width);
                column[points.count] = (float)(at % p.width);
                intensity[points.count] = p.float_image[at];
                if (count < SAMPLE && points.count % 41 == 0) {
                    chosen[count] = points.count;
                    place[count++] = at;
                }
                points.count++;
            }
        ace_direct(&points, 5.0, count, chosen, exact);
        const ace_task task = task_of(&p, 5.0, 1, ACE_BEST);
        ace_workspace workspace = {NULL, 0};
        CHECK(!ace_equalize_float(&task, p.float_image, p.mask, &workspace, p.float_result, range));
        ace_release(&workspace);
        for (size_t k = 0; k < count; k++) {
            const double r = range[0] + (range[1] - range[0]) * p.float_result[place[k]];
            CHECK(fabs(r - exact[k]) < 0.006);
        }
        free(row);
        discard(&p);
    }
}

static void check_special_images(void)
{
    picture p = make(50, 60, 1);
    const size_t area = p.height * p.width;
    const ace_task task = task_of(&p, 5.0, 1, ACE_BEST);
    ace_workspace workspace = {NULL, 0};
    double range[2];

    memset(p.image, 77, area);
    CHECK(!ace_equalize_8bit(&task, p.image, NULL, &workspace, p.result, range));
    for (size_t i = 0; i < area; i++)
        CHECK(p.result[i] == 0);
    CHECK(fabs(range[0]) < 1e-4 && fabs(range[1]) < 1e-4);

    p.image[area / 3] = 78;
    CHECK(!ace_equalize_8bit(&task, p.image, NULL, &workspace, p.result, NULL));
    for (size_t i = 0; i < area; i++)
        CHECK(i == area / 3 ? p.result[i] == 255 : p.result[i] <= 2);

    memset(p.mask, 0, area);
    CHECK(ace_equalize_8bit(&task, p.image, p.mask, &workspace, p.result, NULL) == ACE_EMPTY_MASK);
    p.mask[area / 2] = 255;
    CHECK(!ace_equalize_8bit(&task, p.image, p.mask, &workspace, p.result, NULL));
    CHECK(p.result[area / 2] == 0 && p.result[0] == 0);

    for (size_t i = 0; i < area; i++)
        p.float_image[i] = i % 5 == 0 ? NAN : i % 5 == 1 ? INFINITY : i % 5 == 2 ? -INFINITY : 0.25f;
    CHECK(!ace_equalize_float(&task, p.float_image, NULL, &workspace, p.float_result, NULL));
    for (size_t i = 0; i < area; i++)
        CHECK(p.float_result[i] >= 0.0f && p.float_result[i] <= 1.0f);

    ace_release(&workspace);
    discard(&p);
}

static int status_of(size_t height, size_t width, size_t channels, double alpha, size_t threads, int variant)
{
    uint8_t pixel = 0, result = 0;
    ace_workspace workspace = {NULL, 0};
    const ace_task task = {height, width, channels, alpha, threads, variant};
    const int status = ace_equalize_8bit(&task, &pixel, NULL, &workspace, &result, NULL);
    ace_release(&workspace);
    return status;
}

static void check_errors(void)
{
    CHECK(status_of(1, 1, 1, 5.0, 1, ACE_BEST) == ACE_OK);
    CHECK(status_of(0, 1, 1, 5.0, 1, ACE_BEST) == ACE_EMPTY_IMAGE);
    CHECK(status_of(1, 0, 1, 5.0, 1, ACE_BEST) == ACE_EMPTY_IMAGE);
    CHECK(status_of(1, 1, 0, 5.0, 1, ACE_BEST) == ACE_EMPTY_IMAGE);
    CHECK(status_of(1, 1, 1, 0.9, 1, ACE_BEST) == ACE_BAD_ALPHA);
    CHECK(status_of(1, 1, 1, 255.1, 1, ACE_BEST) == ACE_BAD_ALPHA);
    CHECK(status_of(1, 1, 1, NAN, 1, ACE_BEST) == ACE_BAD_ALPHA);
    CHECK(status_of(1, 1, 1, 5.0, 0, ACE_BEST) == ACE_ZERO_THREADS);
    CHECK(status_of(1, 1, 1, 5.0, 1, ACE_AVX2 + 1) == ACE_NO_VARIANT);
    CHECK(status_of(SIZE_MAX, 2, 1, 5.0, 1, ACE_BEST) == ACE_TOO_LARGE);
    CHECK(status_of(SIZE_MAX / 2, 1, 3, 5.0, 1, ACE_BEST) == ACE_TOO_LARGE);
    CHECK(status_of(SIZE_MAX / 4, 2, 1, 5.0, 1, ACE_BEST) == ACE_TOO_LARGE);
    CHECK(status_of((size_t)1 << 25, (size_t)1 << 25, 1, 5.0, 1, ACE_BEST) == ACE_NO_MEMORY);
}

int main(void)
{
    check_errors();
    check_special_images();
    check_definition();
    check_shapes();
    return 0;
}
