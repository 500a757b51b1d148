noinst_LIBRARIES += libui.a
libui_a_SOURCES = \
	ui/daemon.c ui/daemon.h ui/foreign.c ui/foreign.h ui/gdb.c ui/gdb.h ui/gdb_data.c ui/gdb_int.h ui/gdb_query.c ui/headless.c ui/keys.c ui/line_edit.c ui/line_edit.h ui/monitor.c ui/monitor.h \
	ui/monitor_args.c ui/monitor_block.c ui/monitor_cmds.c ui/monitor_info.c ui/monitor_mem.c \
	ui/monitor_screen.c ui/option_lines.c ui/option_qemu.c ui/option_set.h ui/option_table.c ui/options.c ui/options.h ui/png.c ui/png.h ui/qmp.c ui/qmp.h ui/qmp_cmds.c \
	ui/sdl.c ui/sdl_keymap.c ui/sdl_keymap.h ui/sdl_lib.h ui/sdl_sound.c ui/sdl_sound.h ui/sdl_x11.c ui/sdl_x11.h \
	ui/setup.c ui/setup.h ui/ui.c ui/ui.h ui/ui_list.c ui/vnc_keymap.c ui/vnc_keymap.h
if VNC
libui_a_SOURCES += ui/vnc.c
endif
