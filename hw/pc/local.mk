# the PC board; its DSDT is compiled by iasl into a C array
libhw_a_SOURCES += \
	hw/machine_list.c hw/pc/a20.c hw/pc/acpi_build.c hw/pc/acpi_build.h hw/pc/acpi_tables.c \
	hw/pc/acpi_tables.h hw/pc/boot.c hw/pc/boot.h hw/pc/boot_rom.c hw/pc/bootorder.c hw/pc/e820.c hw/pc/e820.h \
	hw/pc/elf_boot.c hw/pc/firmware.c hw/pc/linux_boot.c hw/pc/multiboot.c hw/pc/pc.c \
	hw/pc/pc.h hw/pc/pc_boot.c hw/pc/pc_int.h hw/pc/pc_pci.c hw/pc/smbios.c
EXTRA_DIST += hw/pc/dsdt.asl hw/pc/dsdt_microvm.asl hw/pc/dsdt_q35.asl
BUILT_SOURCES += hw/pc/dsdt.hex hw/pc/dsdt_microvm.hex hw/pc/dsdt_q35.hex
CLEANFILES += hw/pc/dsdt.hex hw/pc/dsdt.aml hw/pc/dsdt_microvm.hex hw/pc/dsdt_microvm.aml \
	hw/pc/dsdt_q35.hex hw/pc/dsdt_q35.aml
hw/pc/dsdt.hex: $(top_srcdir)/hw/pc/dsdt.asl
	$(AM_V_GEN)mkdir -p hw/pc && $(IASL) -va -p hw/pc/dsdt -tc $(top_srcdir)/hw/pc/dsdt.asl \
	  >hw/pc/dsdt.log 2>&1 || { cat hw/pc/dsdt.log; rm -f $@; exit 1; }
	@rm -f hw/pc/dsdt.log
hw/pc/dsdt_microvm.hex: $(top_srcdir)/hw/pc/dsdt_microvm.asl
	$(AM_V_GEN)mkdir -p hw/pc && $(IASL) -va -p hw/pc/dsdt_microvm -tc $(top_srcdir)/hw/pc/dsdt_microvm.asl \
	  >hw/pc/dsdt_microvm.log 2>&1 || { cat hw/pc/dsdt_microvm.log; rm -f $@; exit 1; }
	@rm -f hw/pc/dsdt_microvm.log
hw/pc/dsdt_q35.hex: $(top_srcdir)/hw/pc/dsdt_q35.asl
	$(AM_V_GEN)mkdir -p hw/pc && $(IASL) -va -p hw/pc/dsdt_q35 -tc $(top_srcdir)/hw/pc/dsdt_q35.asl \
	  >hw/pc/dsdt_q35.log 2>&1 || { cat hw/pc/dsdt_q35.log; rm -f $@; exit 1; }
	@rm -f hw/pc/dsdt_q35.log
hw/pc/acpi_tables.$(OBJEXT): hw/pc/dsdt.hex hw/pc/dsdt_microvm.hex hw/pc/dsdt_q35.hex
