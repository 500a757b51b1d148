# tests of PCI, virtio and the host ends
PCI_TEST_LIBS = libhw.a libhwcore.a libutil.a $(CMOCKA_LIBS) $(DEPS_LIBS)
PCI_TEST_FLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
PCI_TESTS = tests/unit/test_pci tests/unit/test_q35 tests/unit/test_virtio_mmio tests/unit/test_virtqueue tests/unit/test_virtio_pci \
	tests/unit/test_block tests/unit/test_chardev tests/unit/test_net_user tests/unit/test_pci_fuzz tests/unit/test_e1000
check_PROGRAMS += $(PCI_TESTS)
TESTS += $(PCI_TESTS)

tests_unit_test_pci_SOURCES = tests/unit/test_pci.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_pci_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_pci_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_virtqueue_SOURCES = tests/unit/test_virtqueue.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_virtqueue_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_virtqueue_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_virtio_pci_SOURCES = tests/unit/test_virtio_pci.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_virtio_pci_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_virtio_pci_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_block_SOURCES = tests/unit/test_block.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_block_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_block_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_chardev_SOURCES = tests/unit/test_chardev.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_chardev_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_chardev_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_net_user_SOURCES = tests/unit/test_net_user.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_net_user_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_net_user_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_pci_fuzz_SOURCES = tests/unit/test_pci_fuzz.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_pci_fuzz_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_pci_fuzz_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_q35_SOURCES = tests/unit/test_q35.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_q35_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_q35_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_virtio_mmio_SOURCES = tests/unit/test_virtio_mmio.c tests/unit/pci_board.c \
	tests/unit/pci_board.h
tests_unit_test_virtio_mmio_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_virtio_mmio_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_e1000_SOURCES = tests/unit/test_e1000.c tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_e1000_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_e1000_CPPFLAGS = $(PCI_TEST_FLAGS)
