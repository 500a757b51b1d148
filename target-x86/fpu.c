/* SPDX-License-Identifier: MIT */
/*
 * State of the x87 unit: the register stack, tags, MMX aliasing, the ES bit. SDM vol. 1,
 * 8.1, 9.5. See fpu.h for how cpu->st.xsave holds it.
 */
#include "target-x86/fpu.h"

#include <string.h>


void x87_rotate(X86Xsave *x, unsigned n)
{
    X86F80 old[8];

    if (n & 7) {
        memcpy(old, x->st, sizeof(old));
        for (unsigned i = 0; i < 8; i++) {
            x->st[i] = old[(i + n) & 7];
        }
        x->fsw = (x->fsw & ~FSW_TOP) | ((x87_top(x) + n) & 7) << 11;
    }
}

void x87_set_top(X86Xsave *x, unsigned top)
{
    x87_rotate(x, (top - x87_top(x)) & 7);
}

void x87_init(X86Xsave *x)
{
    x87_set_top(x, 0);
    x->fcw = 0x37f;
    x->fsw = 0;
    x->ftw = 0;
    x->fop = 0;
    x->fip = 0;
    x->fdp = 0;
    x87_touch(x);
}

void x87_update_es(X86Cpu *cpu)
{
    X86Xsave *x = &cpu->st.xsave;
    bool was = x->fsw & FSW_ES, es = x->fsw & ~x->fcw & 0x3f;

    x->fsw = (x->fsw & ~(FSW_ES | FSW_B)) | (es ? FSW_ES | FSW_B : 0);
    if (es != was && !(cpu->st.cr0 & CR0_NE)) {
        x87_tell_ferr(cpu);
    }
}

void x86_mmx_enter(X86Cpu *cpu)
{
    X86Xsave *x = &cpu->st.xsave;
    x87_set_top(x, 0);
    x->ftw = 0xff;
    x87_touch(x);
}

void x86_mmx_leave(X86Cpu *cpu)
{
    X86Xsave *x = &cpu->st.xsave;
    x87_set_top(x, 0);
    x->ftw = 0;
    x87_touch(x);
}

static unsigned tag_of(const X86F80 *v)
{
    unsigned e = v->se & 0x7fff;
    if (e == 0) {
        return v->m ? 2 : 1;
    }
    return e == 0x7fff || !(v->m >> 63) ? 2 : 0;
}

uint16_t x87_tag_word(const X86Xsave *x)
{
    uint16_t w = 0;
    for (unsigned n = 0; n < 8; n++) {
        unsigned t = x->ftw >> n & 1 ? tag_of(&x->st[(n - x87_top(x)) & 7]) : 3;
        w |= t << 2 * n;
    }
    return w;
}

uint8_t x87_abridge(uint16_t tag_word)
{
    uint8_t a = 0;
    for (unsigned n = 0; n < 8; n++) {
        a |= ((tag_word >> 2 * n & 3) != 3) << n;
    }
    return a;
}
