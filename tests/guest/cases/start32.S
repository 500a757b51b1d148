# SPDX-License-Identifier: MIT
# Start of the 32-bit cases: flat protected mode without paging, a main task, a task for
# double faults, trap stubs, ring 3 and virtual-8086 mode and back, real mode and back.
        .code32
        .section .head, "ax"
        .align 4
        .long 0x1badb002, 0, -0x1badb002
        .globl _start
_start: mov %ebx, mbi
        mov $boot_stack, %esp
        lgdt gdtr
        ljmp $8, $1f
1:      call segments
        mov %cr4, %eax
        or $0x600, %eax         # OSFXSR, OSXMMEXCPT
        mov %eax, %cr4
        mov %cr0, %eax
        and $~0xc, %eax
        or $0x22, %eax          # NE, MP
        mov %eax, %cr0
        mov $tss, %eax          # TSS bases
        mov %ax, gdt+0x52
        mov $df_tss, %ecx
        mov %cx, gdt+0x5a
        shr $16, %eax
        mov %al, gdt+0x54
        mov %ah, gdt+0x57
        shr $16, %ecx
        mov %cl, gdt+0x5c
        mov %ch, gdt+0x5f
        mov $0x50, %eax
        ltr %ax
        mov $vector_stubs, %esi
        mov $idt, %edi
        mov $256, %ecx
2:      mov %si, (%edi)
        movw $8, 2(%edi)
        movw $0x8e00, 4(%edi)
        mov %esi, %eax
        shr $16, %eax
        mov %ax, 6(%edi)
        add $16, %esi
        add $8, %edi
        dec %ecx
        jnz 2b
        movb $0xee, idt+0x40*8+5
        movw $0x58, idt+8*8+2   # double fault: task gate
        movw $0x8500, idt+8*8+4
        lidt idtr
        movl $user_end, user_stack - 16
        xor %ebp, %ebp
        pushl mbi
        call cases_main
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
        push %eax
        push %ecx
        push %edx
        push %ebx
        push %ebp
        push %esi
        push %edi
        push %ds
        push %es
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        cld
        lea 8(%esp), %eax
        push %eax
        call on_trap
        add $4, %esp
        pop %es
        pop %ds
        pop %edi
        pop %esi
        pop %ebp
        pop %ebx
        pop %edx
        pop %ecx
        pop %eax
        add $8, %esp
        cmpl $0, %ss:resume_frame
        je 1f
        mov %ss:resume_frame, %esp
        movl $0, resume_frame
1:      iret

        .globl df_entry
df_entry:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        call on_double_fault
        add $4, %esp            # the error code
        iret
        jmp df_entry

# u64 run_user(fn, arg, flags)
        .globl run_user, user_leave
run_user:
        push %ebx
        push %ebp
        push %esi
        push %edi
        mov %esp, user_sp
        mov 20(%esp), %edx      # fn
        mov 24(%esp), %ebx      # arg
        mov 28(%esp), %ecx
        or $0x202, %ecx
        mov $user_stack - 16, %eax
        mov %ebx, 4(%eax)
        movzwl user_ss, %ebx
        push %ebx
        push %eax
        push %ecx
        movzwl user_cs, %ebx
        push %ebx
        push %edx
        mov $0x23, %ebx
        mov %ebx, %ds
        mov %ebx, %es
        cli
        iret
user_leave:
        mov $0x10, %eax
        mov %eax, %ss
        mov %eax, %ds
        mov user_sp, %esp
        call segments
        pop %edi
        pop %esi
        pop %ebp
        pop %ebx
        jmp caught

# u64 run_v86(regs): gs fs ds es ss esp flags cs eip, eax, ebx, ecx, edx as words of 32 bits
        .globl run_v86
run_v86:
        push %ebx
        push %ebp
        push %esi
        push %edi
        mov %esp, user_sp
        mov 20(%esp), %esi
        sub $36, %esp
        xor %ecx, %ecx
1:      mov (%esi,%ecx,4), %eax
        mov $8, %edx
        sub %ecx, %edx
        mov %eax, (%esp,%edx,4)
        inc %ecx
        cmp $9, %ecx
        jb 1b
        mov 36(%esi), %eax
        mov 40(%esi), %ebx
        mov 44(%esi), %ecx
        mov 48(%esi), %edx
        iret

# void group_call(fn)
        .globl group_call, group_leave
group_call:
        push %ebx
        push %ebp
        push %esi
        push %edi
        mov %esp, group_sp
        call *20(%esp)
1:      pop %edi
        pop %esi
        pop %ebp
        pop %ebx
        ret
group_leave:
        mov group_sp, %esp
        call segments
        jmp 1b

# set_gate(vector, entry, selector, type, ist)
        .globl set_gate
set_gate:
        mov 4(%esp), %eax
        lea idt(,%eax,8), %eax
        mov 8(%esp), %ecx
        mov %cx, (%eax)
        shr $16, %ecx
        mov %cx, 6(%eax)
        mov 12(%esp), %ecx
        mov %cx, 2(%eax)
        mov 16(%esp), %ecx
        movb $0, 4(%eax)
        mov %cl, 5(%eax)
        ret

# u64 run_real(regs): copies itself to 7000H, runs what lies at 9000H by a far call in real
# mode with eax ebx ecx edx esi edi flags from regs (at 6000H) and brings them back. The
# vector that ended it, or NONE. Vectors go to A000H + 8n.
        .globl run_real
run_real:
        push %ebx
        push %ebp
        push %esi
        push %edi
        mov %esp, user_sp
        cli
        mov $real_tramp, %esi
        mov $0x7000, %edi
        mov $(real_end - real_tramp), %ecx
        cld
        rep movsb
        mov $0xa000, %edi       # push $n (imm16); jmp to the common end
        xor %ecx, %ecx
1:      movb $0x68, (%edi)
        mov %cx, 1(%edi)
        movb $0xe9, 3(%edi)
        mov $(0x7000 + real_trap - real_tramp - 6), %eax
        sub %edi, %eax
        mov %ax, 4(%edi)
        cmpl $0, (,%ecx,4)      # a case may have set its own
        jne 2f
        lea 0xa000(,%ecx,8), %eax
        mov %eax, (,%ecx,4)
2:      add $8, %edi
        inc %ecx
        cmp $256, %ecx
        jb 1b
        mov 20(%esp), %esi
        push %esi
        mov $0x6000, %edi
        mov $7, %ecx
        rep movsl
        ljmp $0x28, $0x7000
real_back:
        mov $0x8f00, %esp
        call real_segs
        lidt idtr
        pop %edi
        mov $0x6000, %esi
        mov $7, %ecx
        rep movsl
        mov 0x6020, %eax        # the vector
        movl $0, trap+4
        mov %eax, trap
        mov 0x6024, %eax
        mov %eax, trap+8
        pop %edi
        pop %esi
        pop %ebp
        pop %ebx
        jmp caught
real_segs:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        pop %edx
        mov user_sp, %esp
        sub $4, %esp
        jmp *%edx
        .code16
real_tramp:
        mov $0x30, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov %ax, %fs
        mov %ax, %gs
        mov %cr0, %eax
        and $~1, %eax
        mov %eax, %cr0
        ljmp $0, $(0x7000 + 1f - real_tramp)
1:      xor %ax, %ax
        mov %ax, %ds
        mov %ax, %es
        mov %ax, %ss
        mov %ax, %fs
        mov %ax, %gs
        mov $0x8f00, %esp
        lidtl 0x7000 + real_idtr - real_tramp
        mov 0x6004, %ebx
        mov 0x6008, %ecx
        mov 0x600c, %edx
        mov 0x6010, %esi
        mov 0x6014, %edi
        pushl 0x6018
        popfl
        mov 0x6000, %eax
        movl $-1, 0x6020
        lcall $0, $0x9000
        cli
        jmp 2f
real_trap:                      # ip cs flags and the vector below them
        cli
        xor %eax, %eax
        mov %ax, %ds
        pop %ax
        mov %eax, 0x6020
        pop %ax
        mov %eax, 0x6024
        jmp 3f
2:      pushfl
        push %ds
        push $0
        pop %ds
        mov %eax, 0x6000
        pop %ax
        mov %ebx, 0x6004
        mov %ecx, 0x6008
        mov %edx, 0x600c
        mov %esi, 0x6010
        mov %edi, 0x6014
        popl 0x6018
3:      xor %ax, %ax
        mov %ax, %ds
        lgdtl 0x7000 + real_gdtr - real_tramp
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $8, $real_back
        .balign 4
real_idtr:
        .word 0x3ff
        .long 0
real_gdtr:
        .word 0x17f
        .long gdt
real_end:
        .globl tramp, tramp_end # other CPUs: the 64-bit image has those cases
tramp:
tramp_end:

        .code32
        .section .user.text, "ax"
user_end:
        int $0x40

        .data
        .balign 16
        .globl gdt, tss, df_tss, user_cs, user_ss, idtr, resume_frame
gdt:    .quad 0
        .quad 0x00cf9b000000ffff # 08 code
        .quad 0x00cf93000000ffff # 10 data
        .quad 0x00cffb000000ffff # 18 user code
        .quad 0x00cff3000000ffff # 20 user data
        .quad 0x00009b000000ffff # 28 code, 16-bit
        .quad 0x000093000000ffff # 30 data, 16-bit
        .quad 0x00cf1b000000ffff # 38 code, not present
        .quad 0x00cf13000000ffff # 40 data, not present
        .quad 0x00cf9f000000ffff # 48 conforming code
        .quad 0x0000890000002068 # 50 main TSS, with a bitmap
        .quad 0x0000890000000067 # 58 double-fault TSS
        .quad 0x00cf91000000ffff # 60 data, read-only
        .quad 0x00cf99000000ffff # 68 code, execute-only
        .fill 34, 8, 0           # 70 to 17f: free
gdtr:   .word 0x17f
        .long gdt
idtr:   .word 0x7ff
        .long idt
user_cs: .word 0x1b
user_ss: .word 0x23
resume_frame: .long 0
        .balign 128
tss:    .long 0, kernel_stack, 0x10
        .skip 104 - 12 - 2
        .word 136               # I/O map behind 32 bytes of interrupt redirection
        .skip 32
        .fill 8192, 1, 0
        .byte 0xff
        .balign 128
df_tss: .long 0
        .skip 24
        .long 0                 # cr3
        .long df_entry, 2
        .skip 16                # eax ecx edx ebx
        .long df_stack, 0, 0, 0 # esp ebp esi edi
        .long 0x10, 8, 0x10, 0x10, 0, 0, 0
        .word 0, 104
        .bss
        .balign 4096
        .globl idt, kernel_stack
idt:    .skip 4096
        .skip 4096
df_stack: .skip 16384
kernel_stack: .skip 65536
boot_stack:
mbi:    .skip 4
user_sp: .skip 4
group_sp: .skip 4
        .section .user.bss, "aw", @nobits
        .skip 16384
        .globl user_stack
user_stack:
        .skip 64
