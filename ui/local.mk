noinst_LIBRARIES += libui.a
libui_a_SOURCES = \
	ui/headless.c ui/option_table.c ui/options.c ui/options.h ui/ui.c ui/ui.h ui/ui_list.c
