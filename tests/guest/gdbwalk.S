# SPDX-License-Identifier: MIT
# A firmware image for the debugger's test (check_gdb): from the reset vector through
# real, protected and 64-bit mode into ring 3; each place has a name. Linked at F0000H.
        .include "macros.inc"
        .code16
        .text
        .globl _start
_start: cli
real:   mov $0x1234, %eax
        xor %bx, %bx
        mov %bx, %ds
        movl $0x11111111, 0x500
real2:  lgdtl %cs:(gdtr - 0xf0000)
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $8, $prot
        .code32
prot:   mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $0x7000, %esp
        mov $gdt, %esi             # LTR marks its descriptor: the table into RAM
        mov $0x600, %edi
        mov $20, %ecx
        cld
        rep movsl
        lgdt gdtr2
prot2:  movl $0x22222222, 0x500
        mov $0x1000, %edi          # tables at 1000H: PML4, 2000H, 3000H
        xor %eax, %eax
        mov $0xc00, %ecx
        cld
        rep stosl
        movl $0x2007, 0x1000
        movl $0x3007, 0x2000
        movl $0x87, 0x3000         # 2 MiB, user
        mov %cr4, %eax
        or $0x620, %eax          # PAE, OSFXSR, OSXMMEXCPT
        mov %eax, %cr4
        mov $0x1000, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
        ljmp $0x18, $long
        .code64
long:   mov $0x123456789abcdef0, %rax
long2:  movq %rax, %xmm1
        lidt idtr
        mov $0x40, %eax
        ltr %ax
        push $0x2b
        push $0x6000
        push $2
        push $0x33
        push $user
        iretq
user:   mov $3, %ecx
loop:   incl 0x510
        dec %ecx
        jnz loop
store:  movl $0x33333333, 0x500
user2:  nop
        int $0x30
done:   mov $0x20, %al
        outb %al, $0xf4
        hlt
        .balign 8
gdt:    .quad 0
        .quad 0x00cf9b000000ffff   # 08 code, 32-bit
        .quad 0x00cf93000000ffff   # 10 data
        .quad 0x00af9b000000ffff   # 18 code, 64-bit
        .quad 0
        .quad 0x00cff3000000ffff   # 28 user data
        .quad 0x00affb000000ffff   # 30 user code
        .quad 0
        .quad 0x0000890f80000067   # 40 TSS at F8000H
        .quad 0
gdtr:   .word 0x4f
        .long gdt
gdtr2:  .word 0x4f
        .long 0x600
idtr:   .word 0x30f
        .quad idt
        .org 0x8000
tss:    .long 0
        .quad 0x5000
        .skip 92
        .org 0x9000
idt:    .skip 0x300
        .word done - 0xf0000, 0x18
        .word 0xee00, 0xf
        .long 0, 0
        .org 0xfff0
        .code16
        ljmp $0xf000, $(_start - 0xf0000)
        .org 0x10000
