/* SPDX-License-Identifier: MIT */
/* The command line's parser: words separated by newlines. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "ui/options.h"
#include "util/alloc.h"

const char *const fuzz_name = "options";

static bool board_init(Machine *m, Error *err)
{
    return true;
}
static const MachineClass board_class = {
    .name = "pc",
    .size = sizeof(Machine),
    .max_cpus = 8,
    .init = board_init,
};
const MachineClass *const machine_classes[] = { &board_class, NULL };
const DeviceClass *const device_classes[] = { NULL };

void fuzz_init(void) {}

size_t fuzz_seed(unsigned i, uint8_t *buf)
{
    static const char *const seeds[] = {
        "-m\n1G\n-smp\n4,cores=2\n-hda\ndisk.img\n-nographic",
        "-accel\ntcg,tb-size=64M,exact-flags=on\n-cpu\nmax,+avx2,-sse4.1,phys-bits=40",
        "-drive\nfile=a.qcow2,if=none,id=d0,format=raw\n-device\nvirtio-blk-pci,drive=d0",
        "-netdev\nuser,id=n0,hostfwd=tcp::2222-:22\n-device\nvirtio-net-pci,netdev=n0",
        "-kernel\nk\n-append\nconsole=ttyS0 root=/dev/vda\n-initrd\ni\n-serial\nmon:stdio",
        "-display\nvnc=:1\n-vga\nstd\n-monitor\ntcp:127.0.0.1:4444,server=on,wait=off",
        "-d\nin_asm,int,guest_errors\n-D\nlog\n-dfilter\n0x1000+0x20\n-symbols\nSystem.map",
        "-boot\norder=dc,menu=on\n-rtc\nbase=utc\n-machine\npc,accel=kvm:tcg\n-snapshot",
        "-cdrom\nx.iso\n-nic\nuser\n-usb\n-device\nhelp",
        "-m\n18446744073709551616\n-smp\n-1",
    };
    if (i >= ARRAY_SIZE(seeds)) {
        return 0;
    }
    size_t n = strlen(seeds[i]);
    memcpy(buf, seeds[i], n);
    return n;
}

void fuzz_one(const uint8_t *data, size_t n)
{
    char *text = xalloc(n + 1), *argv[66] = { "dyad" };
    int argc = 1;
    Options o;
    Error err = ERROR_INIT;

    memcpy(text, data, n);
    text[n] = 0;
    for (char *p = text; p && argc < 65;) {
        argv[argc++] = p;
        p = strchr(p, '\n');
        if (p) {
            *p++ = 0;
        }
    }
    memset(&o, 0, sizeof(o));
    (void)options_parse(&o, argc, argv, &err);
    options_free(&o);
    error_free(&err);
    free(text);
}
