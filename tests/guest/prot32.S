# SPDX-License-Identifier: MIT
# 32-bit protected mode: segments, ports, with PAGING a page fault that is repaired,
# memory-mapped I/O (the I/O APIC's version, the local APIC's), exceptions, the local
# APIC's timer, INT3 and CMPXCHG8B.
        .include "macros.inc"
        .include "multiboot.inc"
_start: mov $stack, %esp
        lgdt gdtr
        ljmp $8, $1f
1:      mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        putc 'a'
        # gates
        mov $0, %ecx
2:      lea handlers(,%ecx,8), %eax
        mov %ax, idt(,%ecx,8)
        movw $8, idt+2(,%ecx,8)
        movw $0x8e00, idt+4(,%ecx,8)
        shr $16, %eax
        mov %ax, idt+6(,%ecx,8)
        inc %ecx
        cmp $64, %ecx
        jb 2b
        lidt idtr
        int3
        cmpl $3, last
        jne bad
        putc 'b'
        ud2
        cmpl $6, last
        jne bad
        putc 'c'
        # memory-mapped I/O
        movl $1, 0xfec00000
        mov 0xfec00010, %eax
        shr $16, %eax
        cmp $23, %al
        jne bad
        mov 0xfee00030, %eax
        and $0xf0, %eax
        cmp $0x10, %eax
        jne bad
        putc 'm'
        .ifdef PAGING
        # paging: 4 MiB pages 1:1, but the page at 16 MiB is not present
        xor %ecx, %ecx
3:      mov %ecx, %eax
        shl $22, %eax
        or $0x83, %eax
        mov %eax, pgdir(,%ecx,4)
        inc %ecx
        cmp $1024, %ecx
        jb 3b
        movl $0, pgdir+16
        mov %cr4, %eax
        or $0x10, %eax
        mov %eax, %cr4
        mov $pgdir, %eax
        mov %eax, %cr3
        mov %cr0, %eax
        or $0x80010000, %eax
        mov %eax, %cr0
        movl $0x12345678, 0x1000010
        cmpl $0x12345678, 0x1000010
        jne bad
        cmpl $14, last
        jne bad
        putc 'p'
        .endif
        # CMPXCHG8B
        mov $cell, %edi
        mov (%edi), %eax
        mov 4(%edi), %edx
        mov $0x11111111, %ebx
        mov $0x22222222, %ecx
        lock cmpxchg8b (%edi)
        jne bad
        cmpl $0x22222222, 4(%edi)
        jne bad
        putc 'x'
        # local APIC timer: periodic, vector 0x30
        movl $0x1ff, 0xfee000f0
        movl $0xb, 0xfee003e0
        movl $0x20030, 0xfee00320
        movl $1000000, 0xfee00380
        sti
4:      hlt
        cmpl $5, ticks
        jb 4b
        cli
        putc 't'
        finish 0x20
bad:    putc '!'
        finish 1
# One entry of 8 bytes each for vectors 0 to 63.
        .align 8
handlers:
        .set n, 0
        .rept 64
        push $n
        jmp common
        .align 8
        .set n, n + 1
        .endr
common: push %eax
        mov 4(%esp), %eax
        mov %eax, last
        cmp $0x30, %eax
        je timer
        cmp $6, %eax
        je skip
        cmp $14, %eax
        je fault
        pop %eax
        add $4, %esp
        iret
skip:   addl $2, 8(%esp)        # past UD2
        pop %eax
        add $4, %esp
        iret
fault:  movl $0x1000083, pgdir+16
        pop %eax
        add $8, %esp            # vector and error code
        iret
timer:  incl ticks
        movl $0, 0xfee000b0
        pop %eax
        add $4, %esp
        iret
        .data
        .align 8
cell:   .quad 0x3333333344444444
gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word 23
        .long gdt
idtr:   .word 511
        .long idt
        .bss
        .align 4096
pgdir:  .skip 4096
idt:    .skip 512
last:   .skip 4
ticks:  .skip 4
        .skip 4096
stack:
