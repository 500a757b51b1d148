# NVMe
libhw_a_SOURCES += hw/nvme/nvme.c hw/nvme/nvme.h
