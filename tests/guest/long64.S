# SPDX-License-Identifier: MIT
# 64-bit mode: four-level paging, ring 3 by IRET and back by SYSCALL, without a handler of
# page faults ('u') and with one ('f' its fault, 'y'), CMPXCHG16B with LOCK (KVM's emulator
# has none: rescued), also of a page table that ring 3 has used ('t'), INT3, SSE, MSRs,
# start-up of a second CPU if there is one (built with SMP: its letter is 's').
        .include "macros.inc"
        .include "multiboot.inc"
_start: mov $stack, %esp
        lgdt gdtr
        mov $pdpt, %eax
        or $7, %eax
        mov %eax, pml4
        mov $pd, %eax
        or $7, %eax
        mov %eax, pdpt
        movl $0xc0000087, pdpt+24 # 1 GiB pages are not everywhere: see below
        xor %ecx, %ecx
1:      mov %ecx, %eax
        shl $21, %eax
        or $0x87, %eax
        mov %eax, pd(,%ecx,8)
        inc %ecx
        cmp $512, %ecx
        jb 1b
        mov $pd3, %eax            # the last GiB, for the local APIC, in 2 MiB pages
        or $7, %eax
        mov %eax, pdpt+24
        xor %ecx, %ecx
2:      mov %ecx, %eax
        shl $21, %eax
        or $0xc0000097, %eax
        mov %eax, pd3(,%ecx,8)
        inc %ecx
        cmp $512, %ecx
        jb 2b
enter:  mov %cr4, %eax
        or $0x620, %eax           # PAE, OSFXSR, OSXMMEXCPT
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x101, %eax           # LME, SCE
        wrmsr
        mov %cr0, %eax
        or $0x80010002, %eax
        and $~4, %eax
        mov %eax, %cr0
        ljmp $8, $long
        .code64
long:   mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        cmpl $0, boot
        jne second
        movl $1, boot
        mov $0xff, %al            # no interrupts: a KVM made of software lets them into ring 3
        outb %al, $0x21
        outb %al, $0xa1
        putc 'a'
        mov $0x123456789abcdef0, %rax
        mov %rax, %rbx
        ror $32, %rbx
        cmp $0x9abcdef0, %eax
        jne bad
        # CMPXCHG16B
        lea cell(%rip), %rdi
        mov (%rdi), %rax
        mov 8(%rdi), %rdx
        mov $5, %ebx
        mov $6, %ecx
        lock cmpxchg16b (%rdi)
        jne bad
        cmpq $6, cell+8
        jne bad
        putc 'x'
        # SSE
        movdqu sse(%rip), %xmm0
        paddd %xmm0, %xmm0
        movd %xmm0, %eax
        cmp $2, %eax
        jne bad
        putc 'v'
        # INT3
        lea int3(%rip), %rax
        mov %ax, idt+48(%rip)
        movw $8, idt+50
        movw $0x8e00, idt+52
        shr $16, %eax
        mov %ax, idt+54(%rip)
        lidt idtr
        int3
        cmpl $3, last
        jne bad
        putc 'i'
        # a PUSH from memory over the end of a page: once only
        mov $200, %edi
7:      mov %rsp, %rsi
        call over
        cmp %rsi, %rsp
        jne bad
        dec %edi
        jnz 7b
        putc 'p'
        # ring 3 and back
        mov $0xc0000081, %ecx
        xor %eax, %eax
        mov $0x00100008, %edx     # SYSCALL: CS 8, SS 10H; SYSRET: 20H, 18H
        wrmsr
        mov $0xc0000082, %ecx
        lea system(%rip), %rax
        xor %edx, %edx
        wrmsr
        mov $0xc0000084, %ecx
        mov $0x200, %eax
        wrmsr
        push $0x1b                # SS
        push $ustack
        push $2
        push $0x23                # CS
        lea user(%rip), %rax
        push %rax
        iretq
user:   movl $0x20, 0x2000000     # both through their own entries
        movl $0x22, 0x2200000
        mov $1000000, %ecx
        xor %ebx, %ebx
3:      add %rcx, %rbx
        dec %ecx
        jnz 3b
        syscall
        mov 0x2000000, %ebx
        movq $1, 0x40000000       # not mapped: the handler steps over its 12 bytes
        syscall
system: mov %cr3, %rax            # ring 3 may not
        mov $stack, %esp
        mov %cs, %edx
        cmp $8, %edx
        jne bad
        cmpl $0, faults
        jne 8f
        movabs $500000500000, %rax
        cmp %rax, %rbx
        jne bad
        putc 'u'
        orl $tss, gdt+50
        movl $kstack, tss+4
        mov $0x30, %eax
        ltr %ax
        lea fault(%rip), %rax
        mov %ax, idt+224
        movw $8, idt+226
        movw $0x8e00, idt+228
        shr $16, %eax
        mov %ax, idt+230
        # two entries of a page table change places
        lea pd+128(%rip), %rdi
        mov (%rdi), %rax
        mov 8(%rdi), %rdx
        mov %rdx, %rbx
        mov %rcx, %rsi
        mov %rax, %rcx
        lock cmpxchg16b (%rdi)
        jne bad
        mov %cr3, %rax
        mov %rax, %cr3
        mov %rsi, %rcx
        mov $ustack, %esp
        sysretq
8:      cmp $0x22, %ebx
        jne bad
        putc 't'
        cmpl $1, faults
        jne bad
        putc 'y'
        # a second CPU: its trampoline at 8000H, INIT, start-up
        # (an image of its own: CPUID may tell the host's count)
        .ifdef SMP
        lea tramp(%rip), %rsi
        mov $0x8000, %edi
        mov $(tramp_end - tramp), %ecx
        cld
        rep movsb
        mov $0xfee00000, %esi
        movl $0x1ff, 0xf0(%rsi)
        movl $0xc4500, 0x300(%rsi)
        mov $200000, %ecx
4:      pause
        dec %ecx
        jnz 4b
        movl $0xc4608, 0x300(%rsi)
5:      pause
        cmpl $0x600d, apword
        jne 5b
        putc 's'
        .endif
        finish 0x20
second: movl $0x600d, apword
6:      hlt
        jmp 6b
int3:   movl $3, last
        iretq
fault:  push %rax
        incl faults
        mov %cr2, %rax
        cmp $0x40000000, %rax
        jne bad
        putc 'f'
        pop %rax
        add $8, %rsp
        addq $12, (%rsp)
        iretq
bad:    putc '!'
        finish 1
        .balign 4096
        .skip 4096 - 4
over:   pushq cell(%rip)          # six bytes
        mov 8(%rsp), %rdx         # the return address, if it was pushed once
        add $16, %rsp
        jmp *%rdx
        .code16
tramp:  cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x8000 + (tgdtr - tramp)
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $0x28, $ap32
tgdtr:  .word 63
        .long gdt
tramp_end:
        .code32
ap32:   mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $apstack, %esp
        jmp enter
        .data
        .align 16
cell:   .quad 1, 2
sse:    .long 1, 2, 3, 4
gdt:    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
        .quad 0x00cff2000000ffff, 0x00affa000000ffff, 0x00cf9a000000ffff
        .quad 0x0000890000000067, 0 # TSS
gdtr:   .word 63
        .long gdt
idtr:   .word 1023
        .quad idt
        .bss
        .align 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
pd3:    .skip 4096
idt:    .skip 1024
boot:   .skip 4
last:   .skip 4
faults: .skip 4
tss:    .skip 104
apword: .skip 4
        .skip 4096
kstack: .skip 4096
ustack: .skip 4096
apstack: .skip 4096
stack:
