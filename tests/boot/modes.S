# SPDX-License-Identifier: MIT
# Boot sector for tests/boot/firmware: sets one video mode of the BIOS after the other and
# draws ten bars of 16 x 64 dots in colours 0 to 9 (as far as the mode has them), then a
# full stop on the debug console; goes on at a key.
        .code16
_start: xor %ax, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov $0x7c00, %sp
        cld
        mov $modes, %si
next:   lodsb
        cmp $0xff, %al
        je stop
        mov $0, %ah
        int $0x10
        xor %dx, %dx
line:   xor %cx, %cx
dot:    mov %cx, %ax
        shr $4, %ax
        mov $0x0c, %ah
        xor %bx, %bx
        push %si
        int $0x10
        pop %si
        inc %cx
        cmp $160, %cx
        jb dot
        inc %dx
        cmp $64, %dx
        jb line
        mov $0x2e, %al
        out %al, $0xe9
        mov $0, %ah
        int $0x16
        jmp next
stop:   hlt
        jmp stop
modes:  .byte 0x04, 0x06, 0x0d, 0x0e, 0x10, 0x12, 0x13, 0xff
        .org 510
        .word 0xaa55
