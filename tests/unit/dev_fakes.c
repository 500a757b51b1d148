/* SPDX-License-Identifier: MIT */
/*
 * For device tests that need no backends: a character backend in memory, and an empty
 * device list, so that only the devices under test are linked.
 */
#include <string.h>
#include "tests/unit/dev_board.h"

CharBackend test_chr;
const DeviceClass *const device_classes[] = { NULL };

bool chardev_attach(CharBackend *c, const CharClient *client, Error *err)
{
    c->client = *client;
    c->attached = true;
    return true;
}
void chardev_detach(CharBackend *c, void *opaque)
{
    c->attached = false;
}
size_t chardev_write(CharBackend *c, const uint8_t *buf, size_t n)
{
    for (size_t i = 0; c && i < n && c->n < sizeof(c->out); i++) {
        c->out[c->n++] = buf[i];
    }
    return n;
}
void chardev_accept_input(CharBackend *c)
{
    c->accepts++;
}
static void *chardev_none(const char *id, Error *err)
{
    error_set(err, "none");
    return NULL;
}
const PropLink chardev_link = { "chardev", chardev_none };

void test_chr_reset(void)
{
    memset(&test_chr, 0, sizeof(test_chr));
}
