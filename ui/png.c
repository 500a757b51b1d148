/* SPDX-License-Identifier: MIT */
/* Pictures of the screen: PNG through libpng, PPM by hand. */
#include "ui/png.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/alloc.h"
#include "util/lazylib.h"

#define PNG_FNS(F) \
    F(png_create_info_struct) F(png_create_write_struct) F(png_destroy_write_struct) \
    F(png_init_io) F(png_set_IHDR) F(png_set_compression_level) F(png_set_longjmp_fn) \
    F(png_write_end) F(png_write_info) F(png_write_row)
static struct {
    PNG_FNS(LAZY_FIELD)
} lib;
static const char *const lib_names[] = { PNG_FNS(LAZY_NAME) NULL };
static LazyLib lib_file = { SONAME_PNG, lib_names, (void **)&lib, false };

static void rgb_line(uint8_t *to, const Surface *s, unsigned y)
{
    const uint32_t *p = surface_line(s, y);
    for (unsigned x = 0; x < s->width; x++) {
        *to++ = p[x] >> 16;
        *to++ = p[x] >> 8;
        *to++ = p[x];
    }
}

static void save_ppm(const Surface *s, FILE *f, uint8_t *row)
{
    fprintf(f, "P6\n%u %u\n255\n", s->width, s->height);
    for (unsigned y = 0; y < s->height; y++) {
        rgb_line(row, s, y);
        fwrite(row, 3, s->width, f);
    }
}

static void png_quiet(png_structp png, png_const_charp text)
{
}

static bool save_png(const Surface *s, FILE *f, uint8_t *row)
{
    png_structp png = lib.png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, png_quiet);
    png_infop info = png ? lib.png_create_info_struct(png) : NULL;
    if (!info || setjmp(*lib.png_set_longjmp_fn(png, longjmp, sizeof(jmp_buf)))) {
        lib.png_destroy_write_struct(&png, &info);
        return false;
    }
    lib.png_init_io(png, f);
    lib.png_set_IHDR(png, info, s->width, s->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    lib.png_set_compression_level(png, 4); /* the main loop waits */
    lib.png_write_info(png, info);
    for (unsigned y = 0; y < s->height; y++) {
        rgb_line(row, s, y);
        lib.png_write_row(png, row);
    }
    lib.png_write_end(png, info);
    lib.png_destroy_write_struct(&png, &info);
    return true;
}

bool surface_save(const Surface *s, const char *path, const char *format, Error *err)
{
    const char *dot = strrchr(path, '.');
    bool ppm = format ? strcmp(format, "ppm") == 0 : !dot || strcasecmp(dot, ".png") != 0;
    if (!ppm && !lazylib_load(&lib_file, err)) {
        return false;
    }
    FILE *f = fopen(path, "wb");
    if (!f) {
        return error_set(err, "%s: %s", path, strerror(errno));
    }
    uint8_t *row = xalloc(3 * (size_t)s->width);
    bool ok = true;
    if (ppm) {
        save_ppm(s, f, row);
    } else {
        ok = save_png(s, f, row);
    }
    free(row);
    ok &= !ferror(f);
    if (fclose(f) != 0 || !ok) {
        unlink(path);
        return error_set(err, "%s: cannot be written", path);
    }
    return true;
}
