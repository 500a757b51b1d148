/* SPDX-License-Identifier: MIT */
/* KVM as a side of a twin: not there yet. */
#include "accel/twin/twin_int.h"
static bool kvm_create(TwinSide *s, Error *err) { return error_set(err, "kvm cannot be compared yet: expected tcg or interp"); }
static void kvm_destroy(TwinSide *s) {}
const TwinEngine twin_kvm_engine = { .create = kvm_create, .destroy = kvm_destroy };
