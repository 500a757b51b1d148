# Network cards that are no virtio device
libhw_a_SOURCES += hw/net/e1000.c hw/net/e1000.h hw/net/e1000_int.h hw/net/e1000_rx.c hw/net/e1000_tx.c
