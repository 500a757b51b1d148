/* SPDX-License-Identifier: MIT */
/* ring0=soft: ring 0 by the translator, ring 3 by KVM (hybrid.c). */
#ifndef ACCEL_KVM_HYBRID_H
#define ACCEL_KVM_HYBRID_H

#include <stdio.h>
#include "accel/kvm/kvm_int.h"

bool kvm_soft_init(KvmMachine *k, Error *err); /* sets m->exec and m->accel */
void kvm_soft_enter(Machine *m);
void kvm_soft_free(KvmMachine *k);
const uint32_t *kvm_soft_features(void);       /* words of features.h */
void kvm_soft_info(const KvmMachine *k, FILE *f);

#endif
