# SPDX-License-Identifier: MIT
# Computes a checksum of 2^26 steps at CPL 0 in slices, while the local APIC's timer
# interrupts; prints the sum, which no change of engine may alter, then ends. The number
# of interrupts is checked to be more than ten.
        .include "macros.inc"
        .include "multiboot.inc"
_start: mov $stack, %esp
        lgdt gdtr
        ljmp $8, $1f
1:      mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        lea timer, %eax
        mov %ax, idt+0x180
        movw $8, idt+0x182
        movw $0x8e00, idt+0x184
        shr $16, %eax
        mov %ax, idt+0x186
        lidt idtr
        mov $0xff, %al            # nothing from the 8259s
        outb %al, $0x21
        outb %al, $0xa1
        movl $0x1ff, 0xfee000f0
        movl $0xb, 0xfee003e0
        movl $0x20030, 0xfee00320
        movl $10000000, 0xfee00380
        mov $1, %ebx
        mov $STEPS, %ecx
        sti
2:      imul $1103515245, %ebx, %ebx
        add $12345, %ebx
        mov %ebx, %eax
        shr $16, %eax
        xor %eax, sum
        roll $3, sum
        dec %ecx
        jnz 2b
        # slow enough to be switched: wait for the interrupts
3:      hlt
        cmpl $TICKS, ticks
        jb 3b
        cli
        mov $8, %ecx
4:      roll $4, sum
        mov sum, %eax
        and $15, %eax
        mov digits(%eax), %al
        outb %al, $0xe9
        dec %ecx
        jnz 4b
        finish 0x20
timer:  push %eax
        incl ticks
        movl $0, 0xfee000b0
        pop %eax
        iret
        .data
        .align 8
digits: .ascii "0123456789abcdef"
gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word 23
        .long gdt
idtr:   .word 511
        .long idt
        .bss
        .align 16
idt:    .skip 512
sum:    .skip 4
ticks:  .skip 4
        .skip 4096
stack:
