/* SPDX-License-Identifier: MIT */
/*
 * The KVM accelerator: the same machine run by the host kernel's KVM, with the software
 * engine behind it for instructions that KVM cannot execute (rescue.c).
 */
#ifndef ACCEL_KVM_KVM_H
#define ACCEL_KVM_KVM_H

#include "accel/accel.h"
#include "target-x86/softstep.h"

extern const AccelClass accel_kvm_class;

/* The software engine's single step, from main.c before accel_select. NULL: no rescue. */
void kvm_set_soft_step(const X86SoftStep *ops);

/* What is wrong, from what opening the node answered; the text also says what to do.
 * err: errno of open, 0 = it opened. Returns false if nothing is wrong. Pure. */
typedef struct KvmHost {
    int open_errno;
    bool node;        /* /dev/kvm exists */
    bool module;      /* a KVM module is loaded */
    bool virt;        /* the CPU shows VT-x or SVM */
    int api_version;
    const char *missing; /* first needed capability that is absent, or NULL */
} KvmHost;
bool kvm_explain(const KvmHost *h, char *why, size_t n);

#endif
