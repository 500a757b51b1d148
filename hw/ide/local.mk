# IDE
libhw_a_SOURCES += \
	hw/ide/ahci.c hw/ide/atapi.c hw/ide/ide.c hw/ide/ide.h hw/ide/ide_cmd.c hw/ide/ide_drive.c \
	hw/ide/ide_identify.c hw/ide/ide_int.h hw/ide/ide_pci.c
