# fuzz targets; make fuzz builds them with sanitizers in a directory of their own
FUZZ_DRIVER = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
FUZZ_BOARD = tests/fuzz/board.c tests/fuzz/board.h tests/unit/dev_board.c tests/unit/dev_board.h
FUZZ_TARGETS = tests/fuzz/fuzz_decode tests/fuzz/fuzz_options tests/fuzz/fuzz_virtqueue \
	tests/fuzz/fuzz_devices tests/fuzz/fuzz_state tests/fuzz/fuzz_usb
EXTRA_PROGRAMS = $(FUZZ_TARGETS)
CLEANFILES += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/run

tests_fuzz_fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_decode_LDFLAGS = $(AM_LDFLAGS) $(X86_FAMILIES)
tests_fuzz_fuzz_decode_LDADD = $(ROOMS) $(ROOMS) $(DEPS_LIBS) -lm
tests_fuzz_fuzz_options_SOURCES = tests/fuzz/fuzz_options.c $(FUZZ_DRIVER)
tests_fuzz_fuzz_options_LDADD = libui.a libhwcore.a libutil.a $(DEPS_LIBS)
tests_fuzz_fuzz_virtqueue_SOURCES = tests/fuzz/fuzz_virtqueue.c $(FUZZ_DRIVER) \
	tests/unit/pci_board.c tests/unit/pci_board.h
tests_fuzz_fuzz_virtqueue_LDADD = $(PCI_TEST_LIBS)
tests_fuzz_fuzz_usb_SOURCES = tests/fuzz/fuzz_usb.c $(FUZZ_DRIVER) \
	tests/unit/pci_board.c tests/unit/pci_board.h tests/unit/usb_board.c tests/unit/usb_board.h
tests_fuzz_fuzz_usb_LDADD = $(PCI_TEST_LIBS)
tests_fuzz_fuzz_devices_SOURCES = tests/fuzz/fuzz_devices.c $(FUZZ_DRIVER) $(FUZZ_BOARD)
tests_fuzz_fuzz_devices_LDADD = $(DEV_TEST_LIBS)
tests_fuzz_fuzz_state_SOURCES = tests/fuzz/fuzz_state.c $(FUZZ_DRIVER) $(FUZZ_BOARD)
tests_fuzz_fuzz_state_LDADD = $(DEV_TEST_LIBS)

# make fuzz [SECONDS=60]: each target for that long, built with ASan and UBSan in ./fuzz
fuzz:
	SECONDS_EACH=$(SECONDS) $(abs_top_srcdir)/tests/fuzz/run $(FUZZ_TARGETS)
.PHONY: fuzz
