# SCSI units and their bus
libhw_a_SOURCES += \
	hw/scsi/scsi.h hw/scsi/scsi_cd.c hw/scsi/scsi_cmd.c hw/scsi/scsi_drive.c hw/scsi/scsi_int.h
