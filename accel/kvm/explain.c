/* SPDX-License-Identifier: MIT */
/* Why KVM cannot be used and what to do about it (kvm.h). Pure. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include "accel/kvm/kvm.h"

bool kvm_explain(const KvmHost *h, char *why, size_t n)
{
    if (h->open_errno && !h->node && !h->module) {
        snprintf(why, n, h->virt ? "no KVM module is loaded (modprobe kvm_intel or kvm_amd)"
                                 : "no KVM module is loaded, and this CPU shows neither VT-x "
                                   "nor SVM (switch it on in the firmware setup, or allow "
                                   "nested virtualization)");
    } else if (h->open_errno && !h->node) {
        snprintf(why, n, "there is no device node /dev/kvm (mknod /dev/kvm c 10 232, or give "
                         "the container --device /dev/kvm)");
    } else if (h->open_errno == EACCES || h->open_errno == EPERM) {
        snprintf(why, n, "no permission to open /dev/kvm (add yourself to the group that owns "
                         "it: usermod -aG kvm USER, then log in again)");
    } else if (h->open_errno == ENODEV || h->open_errno == ENXIO) {
        snprintf(why, n, "/dev/kvm is there but no KVM module answers (modprobe kvm_intel or "
                         "kvm_amd)");
    } else if (h->open_errno) {
        snprintf(why, n, "/dev/kvm: %s", strerror(h->open_errno));
    } else if (h->api_version < 0) {
        snprintf(why, n, "/dev/kvm is not KVM's device node (rm /dev/kvm, then mknod /dev/kvm c "
                         "10 232)");
    } else if (h->api_version != KVM_API_VERSION) {
        snprintf(why, n, "the kernel speaks version %d of the KVM interface, not %d (use a "
                         "kernel of 2.6.36 or later)", h->api_version, KVM_API_VERSION);
    } else if (h->missing) {
        snprintf(why, n, "the kernel's KVM lacks %s (use a newer kernel)", h->missing);
    } else {
        return false;
    }
    return true;
}
