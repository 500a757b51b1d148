/* SPDX-License-Identifier: MIT */
/* The board's struct, for the files of hw/pc only. */
#ifndef HW_PC_PC_INT_H
#define HW_PC_PC_INT_H

#include "hw/core/isa.h"
#include "hw/core/machine.h"
#include "hw/intc/apic.h"
#include "hw/misc/fw_cfg.h"
#include "hw/pc/acpi_tables.h"
#include "hw/pc/boot.h"
#include "hw/pci/host.h"

enum { PC_GSIS = 24, A20_PAIRS = 32 };
#define MICROVM_MMIO 0xfeb00000ull /* virtio-mmio slots, pins 16-23 */
#define Q35_ECAM 0xb0000000ull /* where we put it without firmware, as SeaBIOS does */
/* Who drives an interrupt input: they are ORed. */
enum PcIrqSource { SRC_ISA, SRC_ROUTER /* PCI's */, SRC_CHIP, SRC_HPET, SRC_COUNT };

typedef struct PcMachine PcMachine;

typedef struct PcIrqPort {
    PcMachine *pc;
    uint8_t bit;
} PcIrqPort;

struct PcMachine {
    Machine m;                  /* first */
    /* properties: */
    int kernel_protocol;        /* enum KernelProtocol */
    bool hpet, with_pit;
    int absent;                 /* of properties that have one meaning only */

    bool q35;                   /* the class: ICH9 instead of PIIX3 */
    bool micro;                 /* the class: no PCI, virtio-mmio; pci is NULL */
    bool flash;                 /* firmware is in flash memory */
    RamLayout layout;
    MemoryRegion ram, ram_low, ram_high;
    MemoryRegion bios, bios_low;
    MemoryRegion a20, a20_odd[A20_PAIRS]; /* shown while address line 20 is held low */
    ApicBus apic;
    PciBus *pci;
    IsaBus *isa;
    FwCfg *fw_cfg;
    Device *lapic[APIC_MAX_CPUS];
    Device *pic, *ioapic, *pit, *rtc, *hpet_dev, *pm, *pm_pci, *bridge, *port92, *coproc, *i8042;
    IrqLine pic_in[16], ioapic_in[PC_GSIS];
    PcIrqPort irq_port[SRC_COUNT];
    uint8_t gsi_sources[PC_GSIS]; /* bit n: source n drives it high */

    /* made by ready(): */
    bool direct;                /* a kernel without firmware */
    bool booted;                /* reset once */
    uint8_t kept[16];           /* of the host bridge, through S3 */
    uint8_t floppy[2];          /* CMOS types of drives A and B, 0 = none */
    bool has_serial;            /* COM1 is there */
    AcpiBlob acpi;
    uint64_t acpi_ecam;         /* what the tables say now */
    uint16_t acpi_pm_base;
    AcpiBuf smbios;             /* structures; the entry point is apart */
    BootPlan plan;
    void *kernel, *initrd;      /* file contents, mmapped */
    size_t kernel_len, initrd_len;
    BootModule module[BOOT_MODULES]; /* a multiboot kernel's, mmapped; len 0: none */
    char *module_lines;         /* their command lines */
};

static inline PcMachine *pc_machine(Machine *m)
{
    return (PcMachine *)m;
}

/* firmware.c */
bool pc_load_firmware(PcMachine *pc, Error *err);
/* The numbers that kernels without firmware ask for too: CMOS, fw_cfg's RAM and CPUs. */
void pc_fill_numbers(PcMachine *pc);
/* Fills fw_cfg with these, tables and settings. */
bool pc_fill_fw_cfg(PcMachine *pc, Error *err);
/* The files of -fw_cfg. */
bool pc_add_fw_files(PcMachine *pc, Error *err);
/* -boot once= was for the first start only. */
void pc_boot_again(PcMachine *pc);

/* pc_boot.c */
void pc_build_tables(PcMachine *pc);
/* Builds the tables again if firmware moved what they name. Whether it did. */
bool pc_refresh_tables(PcMachine *pc);
bool pc_plan_kernel(PcMachine *pc, Error *err);
/* A bzImage of a boot protocol older than 2.08 (boot.rst: Linux before 2.6.26; iPXE's
 * ipxe.lkrn, which is real-mode code in that dress). file NULL: no. */
bool pc_kernel_needs_bios(const char *file);
/* Writes tables and the plan's pieces, sets the boot CPU up. After each reset. */
void pc_start_kernel(PcMachine *pc);
/* Without firmware: the boot CPU goes on at the FACS's waking vector. */
void pc_enter_waking_vector(PcMachine *pc);
void pc_load_pieces(PcMachine *pc);     /* the plan's, without tables and registers */
/* Read only; `what` is for the message. */
void *pc_map_file(const char *what, const char *path, size_t *len, Error *err);

/* firmware.c: hands the kernel's files to firmware that loads them itself (OVMF). */
bool pc_offer_kernel(PcMachine *pc, Error *err);

/* a20.c */
void pc_init_a20(PcMachine *pc);
void pc_set_a20(PcMachine *pc, bool on);

/* bootorder.c: bootindex= of the devices, for firmware. */
bool pc_add_boot_order(PcMachine *pc, Error *err);

/* boot_rom.c: the plan (real mode) is started by the BIOS. */
bool pc_add_boot_rom(PcMachine *pc, Error *err);

/* pc_pci.c: what firmware would do: addresses and interrupt lines for all functions. */
void pc_assign_pci(PcMachine *pc);
Device *pc_find_vga(const PcMachine *pc); /* NULL: none */

/* smbios.c: the structure table; *count of structures, *largest in bytes. */
void smbios_build(AcpiBuf *b, const MachineConfig *cfg, const RamLayout *ram,
                  unsigned *count);
/* The 64-bit entry point (DMTF DSP0134 3.x, 5.2.2), 24 bytes. */
void smbios_entry(uint8_t out[24], uint64_t table, uint32_t len);

#endif
