/* SPDX-License-Identifier: MIT */
/* The instruction decoder: any bytes, mode and features; what it says must hold together. */
#include <stdlib.h>
#include <string.h>

#include "target-x86/decode.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_name = "decode";

void fuzz_init(void)
{
    x86_decode_init();
}

size_t fuzz_seed(unsigned i, uint8_t *buf)
{
    static const char seeds[][16] = {
        /* mode, features, code */
        "\x80\xff\x48\x8b\x84\x91\x10\x20\x30\x40",
        "\x80\xff\xc4\xe2\x7d\x18\x05\1\2\3\4",
        "\x80\xff\x62\xf1\x7c\x48\x58\x40\x01",
        "\x20\xff\x66\x67\xf0\x0f\xc7\x4c\x24\x08",
        "\x00\xff\xf3\xa4",
        "\x80\xff\xd9\xfe",
        "\x20\xff\x9a\1\2\3\4\5\6",
        "\x80\xff\x0f\x3a\x0f\xc1\x07",
        "\x80\xff\x8f\xe8\x78\xa2\xc1\x10",
    };
    if (i >= ARRAY_SIZE(seeds)) {
        return 0;
    }
    memcpy(buf, seeds[i], 16);
    return 16;
}

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

void fuzz_one(const uint8_t *data, size_t n)
{
    uint32_t feat[X86F_NWORDS], mode;
    X86Insn in, again;

    if (n < 2) {
        return;
    }
    mode = data[0] & 0x80 ? HF_CS64 | HF_PE
                          : (data[0] & 0x20 ? HF_CS32 : 0) | (data[0] & 0x10 ? HF_PE : 0);
    memset(feat, data[1], sizeof(feat));
    for (size_t at = 2; at < n;) {
        unsigned room = n - at < 16 ? n - at : 16;
        uint8_t *exact = malloc(room); /* so that a read beyond is seen */
        memcpy(exact, data + at, room);
        int len = x86_decode(&in, exact, room, mode, feat);
        int len2 = x86_decode(&again, exact, room, mode, feat);
        free(exact);
        must(len == len2);
        if (len <= 0) {
            must(len >= X86_DEC_GP);
            must(len != X86_DEC_MORE || room < 15);
            at++;
            continue;
        }
        must(len <= 15 && len == in.len && in.row && in.nops <= 4);
        must(!memcmp(in.bytes, data + at, len));
        must(in.base >= -1 && in.base <= 16 && in.index >= -1 && in.index <= 31 &&
             in.scale <= 3);
        must(in.imm_off + in.imm_len <= len && in.disp_off + in.disp_len <= len);
        for (unsigned i = 0; i < in.nops; i++) {
            must(in.op[i].reg < 32);
        }
        at += len;
    }
}
