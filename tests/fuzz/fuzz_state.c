/* SPDX-License-Identifier: MIT */
/* Saved state: any bytes as a machine's record, then a machine that runs on with it. */
#include <string.h>

#include "hw/core/state.h"
#include "tests/fuzz/board.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_name = "state";

static StateBuf saved;

static void save_one(Device *dev, void *buf)
{
    Error err = ERROR_INIT;
    if (dev->cls->state.fields) {
        assert_true(state_save(buf, dev->path, &dev->cls->state, dev, &err));
    }
}

void fuzz_init(void)
{
    Board *b = fuzz_board();
    device_foreach(&b->m, save_one, &saved);
    fuzz_board_free(b);
}

/* The whole, and what begins at some place in it. */
size_t fuzz_seed(unsigned i, uint8_t *buf)
{
    StateBuf b = { .data = saved.data, .len = saved.len };
    char path[128];
    Error err = ERROR_INIT;

    if (i == 0) {
        size_t n = saved.len < FUZZ_MAX ? saved.len : FUZZ_MAX;
        memcpy(buf, saved.data, n);
        return n;
    }
    Board *board = fuzz_board();
    size_t from = 0, n = 0;
    for (unsigned k = 0; k < i && state_next(&b, path, sizeof(path), &err); k++) {
        Device *dev = device_find(&board->m, path);
        if (!dev || !state_load(&b, &dev->cls->state, dev, &err)) {
            break;
        }
        if (k + 1 == i) {
            n = b.pos - from < FUZZ_MAX ? b.pos - from : 0;
            memcpy(buf, saved.data + from, n);
        }
        from = b.pos;
    }
    error_free(&err);
    fuzz_board_free(board);
    return n;
}

void fuzz_one(const uint8_t *data, size_t n)
{
    static const uint8_t after[] = {
        /* time passes, interrupts are taken, registers read */
        0, 0, 0, 0, 64, 66, 15, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 64, 66, 15, 0, 1, 1, 0, 0, 0, 0, 0, 0
    };
    Error err = ERROR_INIT;
    Board *b = fuzz_board();
    StateBuf buf = { .data = (uint8_t *)data, .len = n };
    char path[128];

    while (state_next(&buf, path, sizeof(path), &err)) {
        Device *dev = device_find(&b->m, path);
        if (!dev) {
            break;
        }
        if (!state_load(&buf, &dev->cls->state, dev, &err)) {
            dev->cls->reset(dev); /* refused: the machine would not run */
            break;
        }
    }
    error_free(&err);
    for (unsigned i = 0; i < fuzz_areas(); i++) {
        uint8_t op[FUZZ_OP] = { 0x24, i };
        fuzz_ops(b, op, sizeof(op));
    }
    fuzz_ops(b, after, sizeof(after));
    fuzz_board_free(b);
}
