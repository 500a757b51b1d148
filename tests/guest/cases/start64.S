# SPDX-License-Identifier: MIT
# Start of the 64-bit cases: long mode over 4 GiB mapped 1:1 in 2 MiB pages (supervisor,
# but for the user image's two), trap stubs, ring 3 and back, other CPUs.
        .code32
        .section .head, "ax"
        .align 4
        .long 0x1badb002, 0, -0x1badb002
        .globl _start
_start: mov %ebx, mbi
        mov $boot_stack, %esp
        mov $0x80000000, %ecx
        xor %ecx, %ecx
1:      mov %ecx, %eax          # 2048 entries: four directories in a row
        shl $21, %eax
        or $0xe3, %eax
        mov %eax, page_dir(,%ecx,8)
        mov %ecx, %eax
        shr $11, %eax
        mov %eax, page_dir+4(,%ecx,8)
        inc %ecx
        cmp $2048, %ecx
        jb 1b
        orl $4, page_dir+2*8    # 4 MiB: user
        mov $page_dir+7, %eax
        mov %eax, pdpt
        add $4096, %eax
        mov %eax, pdpt+8
        add $4096, %eax
        mov %eax, pdpt+16
        add $4096, %eax
        mov %eax, pdpt+24
        movl $pdpt+7, pml4
        lgdt gdtr
        call long_mode
        ljmp $8, $2f
        .code64
2:      mov $boot_stack, %esp
        call segments
        mov $0x80, %eax
        lea tss(%rip), %rax
        mov %ax, gdt+0x82
        shr $16, %rax
        mov %al, gdt+0x84
        mov %ah, gdt+0x87
        mov $0x80, %eax
        ltr %ax
        mov $vector_stubs, %esi # gates
        mov $idt, %edi
        mov $256, %ecx
3:      mov %si, (%rdi)
        movw $8, 2(%rdi)
        movw $0x8e00, 4(%rdi)
        mov %esi, %eax
        shr $16, %eax
        mov %ax, 6(%rdi)
        movl $0, 8(%rdi)
        add $16, %edi
        add $16, %esi
        dec %ecx
        jnz 3b
        movb $0xee, idt+0x40*16+5
        movb $1, idt+8*16+4     # double fault: IST 1
        lidt idtr
        movq $user_end, user_stack - 16
        xor %ebp, %ebp
        mov mbi, %edi
        jmp cases_main
        .code32
long_mode:
        mov %cr4, %eax
        or $0x6a0, %eax         # PAE, PGE, OSFXSR, OSXMMEXCPT
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx
        rdmsr
        or $0x901, %eax         # NXE, LME, SCE
        wrmsr
        mov %cr0, %eax
        and $~0xc, %eax
        or $0x80010022, %eax    # PG, WP, NE, MP
        mov %eax, %cr0
        ret
        .code64
segments:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        ret

        .text
        .globl vector_stubs
        .balign 16
vector_stubs:
        .set n, 0
        .rept 256
        .balign 16
        .if n != 8 && (n < 10 || n > 14) && n != 17
        push $0
        .endif
        push $n
        jmp trap_common
        .set n, n + 1
        .endr
        .balign 16
trap_common:
        push %rax
        push %rcx
        push %rdx
        push %rbx
        push %rbp
        push %rsi
        push %rdi
        push %r8
        push %r9
        push %r10
        push %r11
        push %r12
        push %r13
        push %r14
        push %r15
        cld
        mov %rsp, %rdi
        mov %rsp, %rbp
        and $-16, %rsp
        call on_trap
        mov %rbp, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rbp
        pop %rbx
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp
        .globl trap_iret
trap_iret:
        iretq

# u64 run_user(fn, arg, flags): leaves by IRET; comes back through user_leave.
        .globl run_user, user_leave
run_user:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, user_sp
        movzwl user_ss, %eax
        push %rax
        mov $user_stack - 16, %rcx      # holds user_end
        push %rcx
        or $0x202, %rdx
        push %rdx
        movzwl user_cs, %eax
        push %rax
        push %rdi
        mov %rsi, %rdi
        cli
        iretq
user_leave:
        mov user_sp, %rsp
        call segments
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        jmp caught

# void group_call(fn)
        .globl group_call, group_leave
group_call:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        sub $8, %rsp
        mov %rsp, group_sp
        call *%rdi
1:      add $8, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret
group_leave:
        mov group_sp, %rsp
        call segments
        jmp 1b

# set_gate(vector, entry, selector, type, ist)
        .globl set_gate
set_gate:
        mov %edi, %eax
        shl $4, %eax
        add $idt, %rax
        mov %si, (%rax)
        mov %dx, 2(%rax)
        mov %r8b, 4(%rax)
        mov %cl, 5(%rax)
        shr $16, %rsi
        mov %si, 6(%rax)
        shr $16, %rsi
        mov %rsi, 8(%rax)
        ret

# Other CPUs: from 8000H in real mode.
        .code16
        .globl tramp, tramp_end
tramp:  cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x8000 + (tramp_gdtr - tramp)
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $0x30, $ap32
        .balign 4
tramp_gdtr:
        .word 0x17f
        .long gdt
tramp_end:
        .code32
ap32:   mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $-16384, %eax
        lock xadd %eax, ap_stack
        mov %eax, %esp
        call long_mode
        ljmp $8, $1f
        .code64
1:      call segments
        lgdt gdtr
        lidt idtr
        mov $1, %edi
        lock xadd %edi, ap_number
        call ap_main

        .section .user.text, "ax"
user_end:
        int $0x40

        .data
        .balign 16
        .globl gdt, tss, user_cs, user_ss, gdtr, idtr
gdt:    .quad 0
        .quad 0x00af9b000000ffff # 08 code, 64-bit
        .quad 0x00cf93000000ffff # 10 data
        .quad 0x00cffb000000ffff # 18 user code, 32-bit
        .quad 0x00cff3000000ffff # 20 user data
        .quad 0x00affb000000ffff # 28 user code, 64-bit
        .quad 0x00cf9b000000ffff # 30 code, 32-bit
        .quad 0x008f9b000000ffff # 38 code, 16-bit
        .quad 0x008f93000000ffff # 40 data, 16-bit
        .quad 0x00af1b000000ffff # 48 code, not present
        .quad 0x00cf13000000ffff # 50 data, not present
        .quad 0x00af9f000000ffff # 58 conforming code
        .quad 0x00cf91000000ffff # 60 data, read-only
        .quad 0x00af99000000ffff # 68 code, execute-only
        .quad 0, 0
        .quad 0x0000890000000067, 0 # 80 TSS
        .fill 32, 8, 0           # 90 to 17f: free
gdtr:   .word 0x17f
        .quad gdt
idtr:   .word 0xfff
        .quad idt
user_cs: .word 0x2b
user_ss: .word 0x23
ap_stack: .long ap_stacks
ap_number: .long 1
        .balign 16
        .long 0
tss:    .long 0
        .quad kernel_stack
        .quad 0, 0, 0
        .quad ist1_stack, ist2_stack, 0, 0, 0, 0, 0
        .quad 0
        .long 0x00680000
        .bss
        .balign 4096
        .globl pml4, pdpt, page_dir, idt, ist1_stack, ist2_stack, kernel_stack
pml4:   .skip 4096
pdpt:   .skip 4096
page_dir: .skip 4 * 4096
idt:    .skip 4096
        .skip 4096
ist1_stack: .skip 4096
ist2_stack: .skip 8192
kernel_stack: .skip 32768
boot_stack: .skip 7 * 16384
ap_stacks:
mbi:    .skip 8
user_sp: .skip 8
group_sp: .skip 8
        .section .user.bss, "aw", @nobits
        .skip 16384
        .globl user_stack
user_stack:
        .skip 64
