# tests of graphics devices and key maps
check_PROGRAMS += tests/unit/test_vga tests/unit/test_keymap
TESTS += tests/unit/test_vga tests/unit/test_keymap
tests_unit_test_vga_SOURCES = tests/unit/test_vga.c tests/unit/vga_modes.h tests/unit/pci_board.c tests/unit/pci_board.h
tests_unit_test_vga_LDADD = $(PCI_TEST_LIBS)
tests_unit_test_vga_CPPFLAGS = $(PCI_TEST_FLAGS)
tests_unit_test_keymap_SOURCES = tests/unit/test_keymap.c
tests_unit_test_keymap_LDADD = $(UI_TEST_LIBS)
tests_unit_test_keymap_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
