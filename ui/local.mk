noinst_LIBRARIES += libui.a
libui_a_SOURCES = \
	ui/headless.c ui/keys.c ui/line_edit.c ui/line_edit.h ui/monitor.c ui/monitor.h \
	ui/monitor_args.c ui/monitor_cmds.c ui/monitor_info.c ui/monitor_mem.c \
	ui/option_table.c ui/options.c ui/options.h ui/setup.c ui/setup.h ui/ui.c ui/ui.h ui/ui_list.c
