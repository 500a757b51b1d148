# SPDX-License-Identifier: MIT
# For tests/cli/profile: two loops in 64-bit mode that a profile must tell apart. outer and
# inner keep frame pointers; plain and leaf do not, and a stale return address into `never`
# lies on the stack between them.
        .include "macros.inc"
        .include "multiboot.inc"
_start: mov $stack, %esp
        lgdt gdtr
        movl $pdpt + 7, pml4
        movl $0x87, pd            # 2 MiB from 0 on
        movl $pd + 7, pdpt
        mov %cr4, %eax
        or $0x20, %eax            # PAE
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax           # LME
        wrmsr
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
        ljmp $8, $long
        .code64
        .globl long, outer, inner, plain, leaf, never
long:   xor %ebp, %ebp
        call outer
        xor %ebp, %ebp
        call plain
        finish 32
        .type outer, @function
outer:  push %rbp
        mov %rsp, %rbp
        mov $COUNT, %ebx
1:      call inner
        dec %ebx
        jnz 1b
        pop %rbp
        ret
        .type inner, @function
inner:  push %rbp
        mov %rsp, %rbp
        mov $1000, %ecx
1:      imul $3, %eax, %eax
        dec %ecx
        jnz 1b
        pop %rbp
        ret
        .type plain, @function
plain:  push $stale
        push $0
        mov $COUNT, %ebx
1:      call leaf
        dec %ebx
        jnz 1b
        add $16, %rsp
        ret
        .type leaf, @function
leaf:   push %rbx
        mov $1000, %ecx
1:      imul $3, %eax, %eax
        dec %ecx
        jnz 1b
        pop %rbx
        ret
        .type never, @function
never:  call outer
stale:  ret
        .data
        .align 8
gdt:    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdtr:   .word 23
        .long gdt
        .bss
        .align 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
        .skip 4096
stack:
