/* SPDX-License-Identifier: MIT */
/*
 * x87 transcendental instructions. SDM vol. 1, 8.3.7 to 8.3.10; vol. 2 under each mnemonic
 * (tables of special operands). Their last bits are an implementation's own, so on an
 * x86-64 host the host's instruction runs on the guest's x87 state; x87_trans_portable.c
 * serves other hosts.
 */
#include "target-x86/x87_exec.h"

#include <string.h>

#include "target-x86/x87.h"
#include "target-x86/x87_trans.h"

#if defined(__x86_64__)

/* FNSAVE's image, 32-bit protected mode format; ST(i) are 10 bytes each. */
typedef struct Image {
    uint32_t fcw, fsw, ftw, fip, fcs, fdp, fds;
    uint8_t st[80];
} Image;
_Static_assert(sizeof(Image) == 108, "FNSAVE image");

/* The host's own state is put away, so nothing of the guest's reaches C code; no exception
 * is pending when the instruction starts, and none traps since only FNSAVE follows. */
#define RUN(insn)                                                                   \
    __asm__ volatile("fnsave %0\n\tfrstor %1\n\t" insn "\n\tfnsave %1\n\tfrstor %0" \
                     : "=m"(host), "+m"(*im))

static void run_native(Image *im, uint8_t modrm)
{
    Image host;
    switch (modrm) {
    case 0xf0: RUN("f2xm1"); break;
    case 0xf1: RUN("fyl2x"); break;
    case 0xf2: RUN("fptan"); break;
    case 0xf3: RUN("fpatan"); break;
    case 0xf9: RUN("fyl2xp1"); break;
    case 0xfb: RUN("fsincos"); break;
    case 0xfe: RUN("fsin"); break;
    default: RUN("fcos"); break;
    }
}

void x87_trans(X86Cpu *cpu, const X86Insn *in)
{
    X86Xsave *x = &cpu->st.xsave;
    uint16_t sticky = x->fsw & (SF_ALL | FSW_SF);
    Image im = { .fcw = x->fcw,
                 .ftw = x87_tag_word(x),
                 .fsw = x->fsw & ~(SF_ALL | FSW_SF | FSW_ES | FSW_B) };

    for (unsigned i = 0; i < 8; i++) {
        memcpy(im.st + 10 * i, &x->st[i].m, 8);
        memcpy(im.st + 10 * i + 8, &x->st[i].se, 2);
    }
    run_native(&im, in->modrm);
    x->fsw = im.fsw | sticky;
    x->ftw = x87_abridge(im.ftw);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&x->st[i].m, im.st + 10 * i, 8);
        memcpy(&x->st[i].se, im.st + 10 * i + 8, 2);
    }
    x87_pointers(cpu, in);
    x87_update_es(cpu);
}

#else

void x87_trans(X86Cpu *cpu, const X86Insn *in)
{
    x87_trans_portable(cpu, in);
}

#endif

void x87_exec_TRANS(X86Cpu *cpu, const X86Insn *in)
{
    x87_trans(cpu, in);
}
