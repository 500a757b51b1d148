/* SPDX-License-Identifier: MIT */
/*
 * Multiboot kernel for tests/boot/firmware: one mode of the Bochs dispi interface after the
 * other, each filled through the linear frame buffer; then a full stop on the debug console
 * and the next mode at a key. Pixel (x, y) has red x * 255 / (w - 1), green y * 255 / (h - 1),
 * blue 255 in every eighth column and row; with 8 bits a pixel its index is x % 256 and the
 * palette says the same of red; the last two modes show an offset of 40, 24 in a wider and
 * higher picture.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;

__attribute__((section(".head"), used)) static const u32 head[] = { 0x1badb002, 0,
                                                                    -0x1badb002u };

static void outb(u16 port, u8 v)
{
    asm volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}
static void outw(u16 port, u16 v)
{
    asm volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}
static u8 inb(u16 port)
{
    u8 v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static u32 pci(u32 dev, u32 reg)
{
    u32 v;
    asm volatile("outl %0, %1" ::"a"(0x80000000 | dev << 11 | reg), "d"((u16)0xcf8));
    asm volatile("inl %1, %0" : "=a"(v) : "d"((u16)0xcfc));
    return v;
}

static void dispi(u16 index, u16 v)
{
    outw(0x1ce, index);
    outw(0x1cf, v);
}

static void put(u8 *p, u32 bpp, u32 x, u32 r, u32 g, u32 b)
{
    switch (bpp) {
    case 8: *p = x; break;
    case 15: *(u16 *)p = r >> 3 << 10 | g >> 3 << 5 | b >> 3; break;
    case 16: *(u16 *)p = r >> 3 << 11 | g >> 2 << 5 | b >> 3; break;
    default:
        p[0] = b;
        p[1] = g;
        p[2] = r;
    }
}

static void show(u8 *fb, u32 w, u32 h, u32 bpp, u32 dx, u32 dy)
{
    u32 bytes = (bpp + 7) / 8, wide = w + dx, high = h + dy;
    dispi(4, 0);
    dispi(1, w);
    dispi(2, h);
    dispi(3, bpp);
    dispi(4, 0x41); /* on, linear frame buffer */
    dispi(6, wide);
    dispi(8, dx);
    dispi(9, dy);
    outb(0x3c8, 0);
    for (u32 i = 0; i < 256 && bpp == 8; i++) {
        outb(0x3c9, i >> 2);
        outb(0x3c9, 0);
        outb(0x3c9, 0);
    }
    for (u32 y = 0; y < high; y++) {
        for (u32 x = 0; x < wide; x++) {
            u32 sx = x - dx, sy = y - dy; /* where it is shown, if it is */
            u32 b = sx % 8 == 0 && sy % 8 == 0 ? 255 : 0;
            put(fb + (y * wide + x) * bytes, bpp, sx, sx * 255 / (w - 1),
                sy * 255 / (h - 1), b);
        }
    }
}

__attribute__((used)) void begin(void) asm("begin");
void begin(void)
{
    static const u16 modes[][5] = {
        { 640, 480, 8, 0, 0 },    { 800, 600, 15, 0, 0 },   { 1024, 768, 16, 0, 0 },
        { 1280, 1024, 24, 0, 0 }, { 1920, 1080, 32, 0, 0 }, { 2560, 1600, 32, 0, 0 },
        { 640, 400, 32, 40, 24 }, { 800, 480, 16, 40, 24 },
    };
    u8 *fb = 0;
    for (u32 dev = 0; dev < 32; dev++) {
        if (pci(dev, 8) >> 16 == 0x0300) {
            fb = (u8 *)(pci(dev, 0x10) & ~15u);
        }
    }
    for (u32 i = 0; fb && i < sizeof(modes) / sizeof(modes[0]); i++) {
        const u16 *m = modes[i];
        show(fb, m[0], m[1], m[2], m[3], m[4]);
        outb(0xe9, '.');
        while (!(inb(0x64) & 1) || !(inb(0x60) & 0x80)) { /* until a key is let go */
        }
    }
    for (;;) {
        asm volatile("cli; hlt");
    }
}

asm(".globl _start\n_start: mov $stack_top, %esp\n call begin\n"
    ".bss\n.skip 4096\nstack_top:\n.text\n");
