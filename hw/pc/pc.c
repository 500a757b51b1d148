/* SPDX-License-Identifier: MIT */
/*
 * The PC boards: memory map, chips and their interrupt wiring. ISA interrupt n reaches the
 * 8259s and the I/O APIC at once (n = 0 is its pin 2). pc and q35 differ in the host bridge,
 * the ISA bridge with its power management, and the disk controller. Machine lock held.
 */
#include "hw/pc/pc.h"

#include <stdlib.h>
#include <sys/mman.h>
#include "hw/block/fdc.h"
#include "hw/block/pflash.h"
#include "hw/char/uart16550.h"
#include "hw/display/display_devices.h"
#include "hw/ide/ide.h"
#include "hw/input/i8042.h"
#include "hw/intc/i8259.h"
#include "hw/misc/coproc.h"
#include "hw/misc/port92.h"
#include "hw/pc/pc_int.h"
#include "hw/timer/acpi_pm.h"
#include "hw/timer/hpet.h"
#include "hw/timer/i8254.h"
#include "hw/timer/mc146818.h"
#include "hw/virtio/virtio_mmio.h"
#include "target-x86/cpu.h"

enum { DEVFN_PIIX3 = 1 << 3, DEVFN_IDE = (1 << 3) | 1, DEVFN_PM = (1 << 3) | 3,
       DEVFN_LPC = 0x1f << 3, DEVFN_AHCI = (0x1f << 3) | 2 };
/* Level-triggered lines when no firmware says so: SCI and the PCI links. */
enum { DIRECT_ELCR = 1 << 9 | 1 << 10 | 1 << 11 };
static const uint8_t direct_routes[4] = { 10, 11, 10, 11 };

/* ---- interrupts ---- */

static void gsi_drive(PcMachine *pc, unsigned n, bool level)
{
    if (n < 16) {
        irq_set(&pc->pic_in[n], level);
    }
    if (n != 2) { /* 2 is the cascade: the I/O APIC's pin 2 is interrupt 0 */
        irq_set(&pc->ioapic_in[n == 0 ? 2 : n], level);
    }
}

static void gsi_set(void *opaque, unsigned n, bool level)
{
    const PcIrqPort *port = opaque;
    PcMachine *pc = port->pc;
    uint8_t old = pc->gsi_sources[n];
    uint8_t new = level ? old | port->bit : old & ~port->bit;
    pc->gsi_sources[n] = new;
    if (!old != !new) {
        gsi_drive(pc, n, new);
    }
}

static IrqLine gsi(PcMachine *pc, enum PcIrqSource source, unsigned n)
{
    return (IrqLine){ gsi_set, &pc->irq_port[source], n };
}

/* HPET's legacy replacement silences 8254 and RTC. */
static void hpet_legacy(void *opaque, unsigned n, bool level)
{
    PcMachine *pc = opaque;
    IrqLine rtc = device_irq_in(pc->rtc, 0);
    if (pc->pit) {
        IrqLine pit = device_irq_in(pc->pit, 0);
        irq_set(&pit, level);
    }
    irq_set(&rtc, level);
}

static void a20_set(void *opaque, unsigned n, bool level)
{
    pc_set_a20(opaque, level);
}

/* FERR# of the boot CPU. */
static void pc_ferr(Cpu *cpu, bool level)
{
    Machine *m = cpu->machine;
    IrqLine ferr = device_irq_in(pc_machine(m)->coproc, 0);
    bool locked = machine_locked(m);
    if (!locked) {
        machine_lock(m);
    }
    irq_set(&ferr, level);
    if (!locked) {
        machine_unlock(m);
    }
}

static void pc_nmi(Machine *m)
{
    apic_bus_nmi(&pc_machine(m)->apic);
}

static void pc_powerdown(Machine *m)
{
    if (m->suspended) {
        machine_wake(m, WAKE_BUTTON);
        return;
    }
    acpi_pm_power_button(pc_machine(m)->pm);
}

static void pc_rtc_alarm(Machine *m)
{
    acpi_pm_rtc_alarm(pc_machine(m)->pm);
}

/* ---- building ---- */

/* Registers of the host bridge that keep their values in S3: PAM (82441FX 3.2.18, 82Q35 5.1.17),
 * for SeaBIOS's code is in shadow RAM; PCIEXBAR, for it finds the other registers there. */
static const uint8_t kept_pc[] = { 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f };
static const uint8_t kept_q35[] = { 0x64, 0x65, 0x66, 0x67, 0x63, 0x62, 0x61, 0x60,
                                    0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96 };

static unsigned kept_regs(const PcMachine *pc, const uint8_t **regs)
{
    *regs = pc->q35 ? kept_q35 : kept_pc;
    return pc->q35 ? sizeof(kept_q35) : sizeof(kept_pc);
}

static bool init_memory(PcMachine *pc, Error *err)
{
    Machine *m = &pc->m;
    pc->layout = pc->q35 ? ram_layout_q35(m->cfg.ram_size) : ram_layout(m->cfg.ram_size);
    if (m->cfg.ram_size < MiB) {
        return error_set(err, "-m: the machine needs 1 MiB of memory at least");
    }
    if (!memory_init_ram(&pc->ram, m, "ram", m->cfg.ram_size, err)) {
        return false;
    }
    memory_init_alias(&pc->ram_low, m, "ram-low", &pc->ram, 0, pc->layout.low);
    memory_add(&m->mem_root, &pc->ram_low, 0, 0);
    if (pc->layout.high) {
        memory_init_alias(&pc->ram_high, m, "ram-high", &pc->ram, pc->layout.low,
                          pc->layout.high);
        memory_add(&m->mem_root, &pc->ram_high, 4 * GiB, 0);
    }
    return true;
}

static bool init_cpus(PcMachine *pc, Error *err)
{
    Machine *m = &pc->m;
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        Cpu *cpu = m->cpu_factory->create(m, (int)i, err);
        if (!cpu) {
            return false;
        }
        m->cpus[m->ncpus++] = cpu;
        X86Cpu *x86 = X86_CPU(cpu);
        const LapicConfig cfg = {
            .cpu = cpu, .apic_id = x86->apic_id, .tsc_offset = &x86->st.tsc_offset,
            .x2apic = x86_has(x86, X86F_X2APIC),
            .tsc_deadline = x86_has(x86, X86F_TSCDL),
        };
        pc->lapic[i] = lapic_create(&pc->apic, &cfg, err);
        if (!pc->lapic[i]) {
            return false;
        }
    }
    return true;
}

static bool init_intc(PcMachine *pc, Error *err)
{
    Machine *m = &pc->m;
    for (unsigned i = 0; i < SRC_COUNT; i++) {
        pc->irq_port[i] = (PcIrqPort){ pc, (uint8_t)(1 << i) };
    }
    apic_bus_init(&pc->apic, m);
    if (!init_cpus(pc, err) ||
        !(pc->ioapic = ioapic_create(&pc->apic, 0, IOAPIC_DEFAULT_BASE, err)) ||
        !(pc->pic = i8259_create(m, apic_bus_pic_input(&pc->apic), err))) {
        return false;
    }
    apic_bus_set_pic(&pc->apic, i8259_ack, pc->pic);
    for (unsigned i = 0; i < PC_GSIS; i++) {
        pc->ioapic_in[i] = device_irq_in(pc->ioapic, i);
    }
    for (unsigned i = 0; i < 16; i++) {
        pc->pic_in[i] = device_irq_in(pc->pic, i);
    }
    if (pc->direct) {
        i8259_set_elcr(pc->pic, DIRECT_ELCR);
    }
    m->nmi = pc_nmi;
    return true;
}

static bool init_timers(PcMachine *pc, Error *err)
{
    Machine *m = &pc->m;
    pc->pit = pc->with_pit ? i8254_create(m, gsi(pc, SRC_CHIP, 0), err) : NULL;
    pc->rtc = pc->pit || !pc->with_pit
              ? rtc_create(m, m->cfg.rtc_base, gsi(pc, SRC_CHIP, 8), err) : NULL;
    IrqLine sci = gsi(pc, SRC_CHIP, ACPI_SCI_IRQ);
    pc->pm = !pc->rtc ? NULL : pc->q35 ? acpi_pm_create_ich9(m, sci, err)
                                       : acpi_pm_create(m, sci, err);
    if (!pc->pm) {
        return false;
    }
    acpi_pm_set_acpi_mode(pc->pm, pc->direct);
    m->powerdown = pc_powerdown;
    m->rtc_alarm = pc_rtc_alarm;
    if (!pc->hpet) {
        return true;
    }
    HpetWiring w = {
        .irq0 = gsi(pc, SRC_HPET, 0), .irq8 = gsi(pc, SRC_HPET, 8),
        .legacy = { hpet_legacy, pc, 0 }, .msi = msi_send_opaque, .msi_opaque = &pc->apic,
    };
    for (unsigned i = 0; i < HPET_GSIS; i++) {
        w.gsi[i] = gsi(pc, SRC_HPET, i);
    }
    pc->hpet_dev = hpet_create(m, 3, &w, err);
    return pc->hpet_dev != NULL;
}

static bool init_ich9(PcMachine *pc, const PciHostConfig *cfg, Error *err)
{
    Ich9Wiring w = { .regs = acpi_pm_region(pc->pm), .pm_base = pc->direct ? PC_PM_BASE : 0 };
    for (unsigned i = 0; i < 16; i++) {
        w.isa[i] = gsi(pc, SRC_ROUTER, i);
    }
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        w.gsi[i] = gsi(pc, SRC_ROUTER, 16 + i);
    }
    return (pc->pci = pci_q35_create(&pc->m, cfg, err)) &&
           (pc->bridge = ich9_lpc_create(pc->pci, DEVFN_LPC, &w, err));
}

static bool init_pci(PcMachine *pc, Error *err)
{
    const PciHostConfig cfg = {
        .ram = &pc->ram, .msi = msi_send_opaque, .msi_opaque = &pc->apic,
        .pam_ram_at_reset = pc->direct,
    };
    if (pc->q35) {
        return init_ich9(pc, &cfg, err);
    }
    IrqLine isa[16];
    for (unsigned i = 0; i < 16; i++) {
        isa[i] = gsi(pc, SRC_ROUTER, i);
    }
    if (!(pc->pci = pci_i440fx_create(&pc->m, &cfg, err)) ||
        !(pc->bridge = piix3_create(pc->pci, DEVFN_PIIX3, isa, err)) ||
        !(pc->pm_pci = piix4_pm_create(pc->pci, DEVFN_PM, acpi_pm_region(pc->pm),
                                       pc->direct ? PC_PM_BASE : 0, err))) {
        return false;
    }
    if (pc->direct) {
        piix3_set_routes(pc->bridge, direct_routes);
    }
    return true;
}

static bool init_isa(PcMachine *pc, Error *err)
{
    Machine *m = &pc->m;
    pc_init_a20(pc);
    pc->isa = isa_bus_create(m, pc->bridge, "isa.0");
    for (unsigned i = 0; i < ISA_IRQS; i++) {
        pc->isa->irq[i] = gsi(pc, SRC_ISA, i);
    }
    if (!(pc->port92 = port92_create(m, (IrqLine){ a20_set, pc, 0 }, err)) ||
        !(pc->coproc = coproc_create(m, gsi(pc, SRC_CHIP, 13), err))) {
        return false;
    }
    m->cpus[0]->ferr = pc_ferr;
    const I8042Wiring w = {
        .irq1 = gsi(pc, SRC_CHIP, 1), .irq12 = gsi(pc, SRC_CHIP, 12),
        .a20 = device_irq_in(pc->port92, 0),
    };
    const IrqLine ide_irq[2] = { gsi(pc, SRC_CHIP, 14), gsi(pc, SRC_CHIP, 15) };
    return (pc->i8042 = i8042_create(m, &w, err)) && (pc->fw_cfg = fw_cfg_create(m, err)) &&
           i8237_create(m, pc->isa, err) &&
           (pc->q35 ? ich9_ahci_create(pc->pci, DEVFN_AHCI, err)
                    : piix3_ide_create(pc->pci, DEVFN_IDE, ide_irq, err));
}

static bool pc_init(Machine *m, Error *err)
{
    PcMachine *pc = pc_machine(m);
    pc->flash = pflash_wanted(m);
    if (pc->flash && m->cfg.bios) {
        return error_set(err, "-bios: a -drive with if=pflash holds the firmware already");
    }
    bool bios = pc->kernel_protocol == KERNEL_16 ||
                (pc->kernel_protocol == KERNEL_AUTO && pc_kernel_needs_bios(m->cfg.kernel));
    pc->direct = m->cfg.kernel && !m->cfg.bios && !pc->flash && !bios;
    return init_memory(pc, err) && init_intc(pc, err) && init_timers(pc, err) &&
           init_pci(pc, err) && init_isa(pc, err);
}

/* microvm: a clock, a serial port and virtio-mmio; port 92H resets. */
static bool init_micro(PcMachine *pc, Error *err)
{
    Machine *m = &pc->m;
    IrqLine irq[VIRTIO_MMIO_SLOTS];
    for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++) {
        irq[i] = gsi(pc, SRC_ROUTER, 16 + i);
    }
    memory_add(&m->io_root, acpi_pm_region(pc->pm), PC_PM_BASE, 0);
    pc_init_a20(pc);
    pc->isa = isa_bus_create(m, NULL, "isa.0");
    for (unsigned i = 0; i < ISA_IRQS; i++) {
        pc->isa->irq[i] = gsi(pc, SRC_ISA, i);
    }
    virtio_mmio_bus_create(m, "virtio-mmio.0", MICROVM_MMIO, irq);
    return (pc->port92 = port92_create(m, (IrqLine){ a20_set, pc, 0 }, err)) != NULL;
}

static bool micro_init(Machine *m, Error *err)
{
    PcMachine *pc = pc_machine(m);
    pc->micro = pc->direct = true;
    if (m->cfg.bios || pflash_wanted(m)) {
        return error_set(err, "-machine microvm: starts kernels without firmware: -kernel "
                         "instead of %s", m->cfg.bios ? "-bios" : "-drive if=pflash");
    }
    if (m->cfg.n_fw_files) {
        return error_set(err, "-fw_cfg: machine microvm has no such device: expected -machine pc "
                         "or q35");
    }
    if (!m->cfg.kernel) {
        return error_set(err, "-machine microvm: has no firmware: a -kernel is needed");
    }
    return init_memory(pc, err) && init_intc(pc, err) && init_timers(pc, err) &&
           init_micro(pc, err);
}

static bool micro_ready(Machine *m, Error *err)
{
    PcMachine *pc = pc_machine(m);
    if (!ide_attach_drives(m, err)) { /* says that there is no place for them */
        return false;
    }
    pc_build_tables(pc);
    return pc_plan_kernel(pc, err);
}

static bool q35_init(Machine *m, Error *err)
{
    pc_machine(m)->q35 = true;
    return pc_init(m, err);
}

bool pc_set_serial(Machine *m, unsigned n, CharBackend *chr, Error *err)
{
    pc_machine(m)->has_serial |= n == 0;
    return isa_serial_create(m, n, chr, err) != NULL;
}

static bool pc_ready(Machine *m, Error *err)
{
    PcMachine *pc = pc_machine(m);
    if (!ide_attach_drives(m, err) || !fdc_attach_drives(m, pc->floppy, err)) {
        return false;
    }
    pc_build_tables(pc);
    if (pc->direct) {
        if (!pc->micro) {
            pc_fill_numbers(pc);
        }
        return (pc->micro || pc_add_fw_files(pc, err)) && pc_plan_kernel(pc, err);
    }
    if (!pc_load_firmware(pc, err) || !pc_fill_fw_cfg(pc, err)) {
        return false;
    }
    if (pc->flash) {
        return pc_offer_kernel(pc, err);
    }
    return !m->cfg.kernel || (pc_plan_kernel(pc, err) && pc_add_boot_rom(pc, err));
}

static void pc_destroy(Machine *m)
{
    PcMachine *pc = pc_machine(m);
    if (pc->apic.machine) {
        apic_bus_destroy(&pc->apic);
    }
    acpi_free(&pc->acpi);
    free(pc->smbios.data);
    boot_plan_free(&pc->plan);
    if (pc->kernel) {
        munmap(pc->kernel, pc->kernel_len);
    }
    if (pc->initrd) {
        munmap(pc->initrd, pc->initrd_len);
    }
    for (unsigned i = 0; i < BOOT_MODULES && pc->module[i].len; i++) {
        munmap((void *)pc->module[i].data, pc->module[i].len);
    }
    free(pc->module_lines);
}

/* No vCPU runs until the reset that wakes the machine. */
static void pc_suspend(Machine *m)
{
    PcMachine *pc = pc_machine(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        cpu_clear_request(m->cpus[i], ~(uint32_t)CPU_REQ_STOP);
        m->cpus[i]->ops->reset(m->cpus[i], false);
        X86_CPU(m->cpus[i])->st.wait_sipi = 1;
    }
    const uint8_t *regs;
    unsigned n = kept_regs(pc, &regs);
    for (unsigned i = 0; i < n; i++) {
        pc->kept[i] = (uint8_t)pci_config_read(pc->pci->fn[0], regs[i], 1);
    }
}

/* Behind the reset that ends S3: what firmware would do before it enters the guest's waking
 * vector (ACPI 6.5, 16.3.1 and 5.2.10), or the way to the firmware that does it. */
static void pc_woken(PcMachine *pc)
{
    Machine *m = &pc->m;
    acpi_pm_woken(pc->pm, m->waking);
    const uint8_t *regs;
    unsigned n = kept_regs(pc, &regs);
    for (unsigned i = 0; i < n; i++) {
        pci_config_write(pc->pci->fn[0], regs[i], pc->kept[i], 1);
    }
    if (pc->direct) {
        pc_enter_waking_vector(pc);
    } else {
        enum { SHUTDOWN_STATUS = 0x0f, RESUME = 0xfe };
        rtc_set_cmos(pc->rtc, SHUTDOWN_STATUS, RESUME);
    }
}

static void pc_reset(Machine *m)
{
    PcMachine *pc = pc_machine(m);
    if (pc->booted && !pc->micro && !m->waking) {
        pc_boot_again(pc);
    }
    pc->booted = true;
    for (unsigned i = 1; i < m->ncpus; i++) {
        X86_CPU(m->cpus[i])->st.wait_sipi = 1;
    }
    /* DEVACTB, APMC_EN (82371AB, 7.1.20): tells SeaBIOS that system management mode is set
     * up. There is none, and it would wait for its handler. */
    if (pc->pm_pci) {
        pci_config_write((PciDevice *)pc->pm_pci, 0x5b, 0x02, 1);
    }
    if (pc->direct) {
        if (pc->q35) { /* PCIEXBAR: 256 MiB, on */
            pci_config_write(pc->pci->fn[0], 0x60, (uint32_t)Q35_ECAM | 1, 4);
        }
        if (pc->pci) {
            pc_assign_pci(pc);
        }
        if (pc_find_vga(pc)) {
            vga_pci_post_text(pc_find_vga(pc));
        }
        lapic_set_virtual_wire(pc->lapic[0]);
        if (!m->waking) {
            pc_start_kernel(pc);
        }
    }
    if (m->waking) {
        pc_woken(pc);
    }
}

/* Of other emulators' command lines: what may be asked for is what is so anyway. */
static const char *const absent_names[] = { "auto", "off", NULL };

static const char *const always_names[] = { "auto", "on", NULL };
static const char *const either_names[] = { "on", "off", NULL };

static const Property pc_props[] = {
    { "kernel-protocol", PK_ENUM, offsetof(PcMachine, kernel_protocol), KERNEL_AUTO, 0, 0,
      NULL, kernel_protocol_names, NULL, "entry of a Linux kernel to use, in bits" },
    { "hpet", PK_BOOL, offsetof(PcMachine, hpet), 1, 0, 1, NULL, NULL, NULL,
      "high precision event timer" },
    { "pit", PK_BOOL, offsetof(PcMachine, with_pit), 1, 0, 1, NULL, NULL, NULL,
      "8254 timer and speaker port" },
    { "vmport", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, absent_names, NULL,
      "VMware's port: there is none" },
    { "smm", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, absent_names, NULL,
      "system management mode: there is none" },
    { "nvdimm", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, absent_names, NULL,
      "memory that stays: there is none" },
    { "acpi", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, always_names, NULL,
      "ACPI tables: they are always there" },
    { "i8042", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, always_names, NULL,
      "keyboard controller: it is always there" },
    { "graphics", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, either_names, NULL,
      "accepted: -vga and -display say it" },
    { "dump-guest-core", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, either_names, NULL,
      "accepted: of no effect" },
    { "mem-merge", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, either_names, NULL,
      "accepted: of no effect" },
    PROP_END
};
static const char *const pc_aliases[] = { "pc-i440fx", NULL };

const MachineClass pc_machine_class = {
    .name = "pc", .aliases = pc_aliases, .desc = "standard PC (i440FX, PIIX3)",
    .props = pc_props, .size = sizeof(PcMachine), .default_ram = 128 * MiB,
    .max_cpus = APIC_MAX_CPUS, .ide_units = 2, .init = pc_init, .ready = pc_ready, .reset = pc_reset,
    .suspend = pc_suspend, .destroy = pc_destroy,
};

static const char *const q35_aliases[] = { "pc-q35", NULL };

const MachineClass q35_machine_class = {
    .name = "q35", .aliases = q35_aliases, .desc = "PC with PCI Express (Q35, ICH9)",
    .props = pc_props, .size = sizeof(PcMachine), .default_ram = 128 * MiB,
    .max_cpus = APIC_MAX_CPUS, .ide_units = 1, .init = q35_init, .ready = pc_ready, .reset = pc_reset,
    .suspend = pc_suspend, .destroy = pc_destroy,
};

static const Property micro_props[] = {
    { "kernel-protocol", PK_ENUM, offsetof(PcMachine, kernel_protocol), KERNEL_AUTO, 0, 0,
      NULL, kernel_protocol_names, NULL, "entry of a Linux kernel to use, in bits" },
    { "acpi", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, either_names, NULL,
      "accepted: Linux is told of its devices on its command line" },
    { "isa-serial", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, always_names, NULL,
      "a serial port: -serial" },
    { "x-option-roms", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, absent_names, NULL,
      "there are none" },
    { "auto-kernel-cmdline", PK_ENUM, offsetof(PcMachine, absent), 0, 0, 0, NULL, always_names,
      NULL, "the kernel is told of its devices" },
    PROP_END
};

const MachineClass microvm_machine_class = {
    .name = "microvm", .desc = "small machine for -kernel: virtio-mmio, no PCI, no firmware",
    .props = micro_props, .size = sizeof(PcMachine), .default_ram = 128 * MiB,
    .max_cpus = APIC_MAX_CPUS, .init = micro_init, .ready = micro_ready, .reset = pc_reset,
    .destroy = pc_destroy,
};
