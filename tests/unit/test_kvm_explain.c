/* SPDX-License-Identifier: MIT */
/* Each reason why KVM cannot be used has its own message, which says what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "accel/kvm/kvm.h"

static void says(KvmHost h, const char *part)
{
    char why[256] = "";
    assert_true(kvm_explain(&h, why, sizeof(why)));
    assert_non_null(strstr(why, part));
}

static void no_module_is_told_apart_from_no_node(void **state)
{
    says((KvmHost){ .open_errno = ENOENT, .virt = true }, "modprobe kvm_intel");
    says((KvmHost){ .open_errno = ENOENT, .module = true }, "mknod /dev/kvm c 10 232");
    says((KvmHost){ .open_errno = ENODEV, .node = true }, "no KVM module answers");
}

static void cpu_without_virtualization_is_named(void **state)
{
    says((KvmHost){ .open_errno = ENOENT }, "neither VT-x nor SVM");
}

static void missing_permission_names_the_group(void **state)
{
    says((KvmHost){ .open_errno = EACCES, .node = true, .module = true }, "usermod -aG kvm");
}

static void absent_capability_is_named(void **state)
{
    says((KvmHost){ .node = true, .api_version = 12, .missing = "KVM_CAP_XSAVE" },
         "lacks KVM_CAP_XSAVE");
    says((KvmHost){ .node = true, .api_version = 11 }, "version 11");
    says((KvmHost){ .node = true, .api_version = -25 }, "not KVM's device node");
}

static void a_working_kvm_needs_no_words(void **state)
{
    char why[64];
    const KvmHost h = { .node = true, .module = true, .api_version = 12 };
    assert_false(kvm_explain(&h, why, sizeof(why)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_module_is_told_apart_from_no_node),
        cmocka_unit_test(cpu_without_virtualization_is_named),
        cmocka_unit_test(missing_permission_names_the_group),
        cmocka_unit_test(absent_capability_is_named),
        cmocka_unit_test(a_working_kvm_needs_no_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
