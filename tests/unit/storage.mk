# tests of disk controllers
STORAGE_TESTS = tests/unit/test_ide tests/unit/test_ahci tests/unit/test_nvme tests/unit/test_fdc \
	tests/unit/test_pflash tests/unit/test_scsi tests/unit/test_usb
check_PROGRAMS += $(STORAGE_TESTS)
TESTS += $(STORAGE_TESTS)
STORAGE_BOARD = tests/unit/disk_board.c tests/unit/disk_board.h \
	tests/unit/pci_board.c tests/unit/pci_board.h

tests_unit_test_ide_SOURCES = tests/unit/test_ide.c $(STORAGE_BOARD)
tests_unit_test_ide_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_ide_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_scsi_SOURCES = tests/unit/test_scsi.c $(STORAGE_BOARD)
tests_unit_test_scsi_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_scsi_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_usb_SOURCES = tests/unit/test_usb.c tests/unit/usb_board.c tests/unit/usb_board.h $(STORAGE_BOARD)
tests_unit_test_usb_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_usb_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_ahci_SOURCES = tests/unit/test_ahci.c $(STORAGE_BOARD)
tests_unit_test_ahci_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_ahci_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_nvme_SOURCES = tests/unit/test_nvme.c $(STORAGE_BOARD)
tests_unit_test_nvme_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_nvme_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_fdc_SOURCES = tests/unit/test_fdc.c $(STORAGE_BOARD)
tests_unit_test_fdc_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_fdc_CPPFLAGS = $(PCI_TEST_FLAGS)

tests_unit_test_pflash_SOURCES = tests/unit/test_pflash.c $(STORAGE_BOARD)
tests_unit_test_pflash_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_pflash_CPPFLAGS = $(PCI_TEST_FLAGS)
