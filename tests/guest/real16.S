# SPDX-License-Identifier: MIT
# Real mode from the reset vector: stack, string I/O, software and hardware interrupts
# (PIT through the 8259), memory-mapped I/O is not reachable below 1 MiB but ROM is: a
# store to it is dropped.
        .include "macros.inc"
        .code16
        .text
        .globl _start
_start: cli
        xor %ax, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov $0x7000, %sp
        putc 'a'
        # INT n through the vector table
        movw $soft, 4*0x60
        movw $0xf000, 4*0x60+2
        xor %bx, %bx
        int $0x60
        cmp $0x1234, %bx
        jne bad
        putc 'b'
        # string output
        push %cs
        pop %ds
        mov $text, %si
        mov $3, %cx
        mov $0xe9, %dx
        cld
        rep outsb
        # ROM keeps its bytes
        movw $0x5555, rom
        cmpw $0xaa55, rom
        jne bad
        putc 'r'
        xor %ax, %ax
        mov %ax, %ds
        # timer interrupt: vector 0x20, PIT mode 2 at 1 ms
        movw $tick, 4*0x20
        movw $0xf000, 4*0x20+2
        movw $0, 0x500
        # no firmware has set the local APIC's LINT0: switch it off, INTR is the PIC's
        mov $0x1b, %ecx
        rdmsr
        and $~0x800, %eax
        wrmsr
        mov $0x11, %al
        out %al, $0x20
        mov $0x20, %al
        out %al, $0x21
        mov $4, %al
        out %al, $0x21
        mov $1, %al
        out %al, $0x21
        mov $0xfe, %al
        out %al, $0x21
        mov $0x34, %al
        out %al, $0x43
        mov $0xa9, %al
        out %al, $0x40
        mov $0x04, %al
        out %al, $0x40
        sti
1:      hlt
        cmpw $5, 0x500
        jb 1b
        cli
        putc 't'
        finish 0x20
soft:   mov $0x1234, %bx
        iret
tick:   push %ax
        incw 0x500
        mov $0x20, %al
        out %al, $0x20
        pop %ax
        iret
bad:    putc '!'
        finish 1
text:   .ascii "str"
rom:    .word 0xaa55
        .org 0xfff0
        .byte 0xea
        .word _start, 0xf000
        .org 0x10000
