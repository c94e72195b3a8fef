/* Equalizes an image by ACE, with the library libretinagan_ace alone.
 *
 *     equalize IMAGE OUT [MASK]
 *
 * IMAGE is a binary PPM (colour) or PGM (grey) file of 8 bits, OUT is written in the same format. MASK is a PGM file of
 * the same size, 0 outside the retina; without it every pixel counts, and so does the black surround of a fundus image.
 * Exit code: 0, or 1 with a line on stderr. */
#include <retinagan/ace.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t height, width, channels;
    uint8_t *pixels; /* height x width x channels */
} picture;

/* A number of a PNM header, after white space and comments; 0 if there is none. */
static size_t read_number(FILE *file)
{
    int next = fgetc(file);
    while (next == ' ' || next == '\t' || next == '\r' || next == '\n' || next == '#') {
        if (next == '#')
            while (next != '\n' && next != EOF)
                next = fgetc(file);
        else
            next = fgetc(file);
    }
    size_t number = 0;
    for (; next >= '0' && next <= '9'; next = fgetc(file)) {
        if (number > 1000000)
            return 0;
        number = 10 * number + (size_t)(next - '0');
    }
    return number; /* one character of white space after it has been read, too */
}

static int read_picture(const char *name, picture *p)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
        return 0;
    }
    char magic[2] = {0, 0};
    const int is_pnm = fread(magic, 1, 2, file) == 2 && magic[0] == 'P' && (magic[1] == '5' || magic[1] == '6');
    p->channels = magic[1] == '6' ? 3 : 1;
    p->width = is_pnm ? read_number(file) : 0;
    p->height = is_pnm ? read_number(file) : 0;
    const size_t most = is_pnm ? read_number(file) : 0;
    int ok = 0;
    if (!p->width || !p->height || most != 255 || p->width > SIZE_MAX / p->channels / p->height)
        fprintf(stderr, "%s: not a binary PPM or PGM file of 8 bits\n", name);
    else if (!(p->pixels = malloc(p->height * p->width * p->channels)))
        fprintf(stderr, "%s: not enough memory for %zu x %zu pixels\n", name, p->width, p->height);
    else if (fread(p->pixels, p->width * p->channels, p->height, file) != p->height)
        fprintf(stderr, "%s: the file ends before its last row\n", name);
    else
        ok = 1;
    fclose(file);
    return ok;
}

static int write_picture(const char *name, const picture *p)
{
    FILE *file = fopen(name, "wb");
    int ok = file != NULL;
    if (ok) {
        fprintf(file, "P%c\n%zu %zu\n255\n", p->channels == 3 ? '6' : '5', p->width, p->height);
        ok = fwrite(p->pixels, p->width * p->channels, p->height, file) == p->height;
        ok = fclose(file) == 0 && ok;
    }
    if (!ok)
        fprintf(stderr, "%s: %s\n", name, strerror(errno));
    return ok;
}

static int equalize(const picture *image, const picture *mask, picture *result)
{
    const ace_task task = {image->height, image->width, image->channels, 5.0, 2, ACE_BEST};
    ace_workspace workspace = {NULL, 0}; /* in a camera loop: one for all frames */
    *result = *image;
    result->pixels = malloc(image->height * image->width * image->channels);
    if (!result->pixels) {
        fprintf(stderr, "not enough memory for the result\n");
        return 0;
    }
    const int status = ace_equalize_8bit(&task, image->pixels, mask->pixels, &workspace, result->pixels, NULL);
    ace_release(&workspace);
    if (status != ACE_OK)
        fprintf(stderr, "ACE %s: %s\n", ace_version(), ace_message(status));
    return status == ACE_OK;
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 4) {
        fprintf(stderr, "usage: equalize IMAGE OUT [MASK]   (PPM or PGM files)\n");
        return 1;
    }
    picture image = {0, 0, 0, NULL}, mask = {0, 0, 0, NULL}, result = {0, 0, 0, NULL};
    int ok = read_picture(arguments[1], &image) && (count == 3 || read_picture(arguments[3], &mask));
    if (ok && count == 4 &&
        (mask.channels != 1 || mask.height != image.height || mask.width != image.width)) {
        fprintf(stderr, "%s: %zu x %zu x %zu, expected %zu x %zu x 1 as the image has\n", arguments[3], mask.width,
                mask.height, mask.channels, image.width, image.height);
        ok = 0;
    }
    ok = ok && equalize(&image, &mask, &result) && write_picture(arguments[2], &result);
    free(image.pixels);
    free(mask.pixels);
    free(result.pixels);
    return ok ? 0 : 1;
}
