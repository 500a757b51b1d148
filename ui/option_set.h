/* SPDX-License-Identifier: MIT */
/* Setters of option rows that have a file of their own (ui/option_lines.c, ui/option_qemu.c). */
#ifndef UI_OPTION_SET_H
#define UI_OPTION_SET_H

#include "ui/options.h"
#include "util/property.h"

typedef bool OptionSetter(Options *o, const OptionRow *row, const char *value, Error *err);

/* --- ui/option_lines.c: monitors, firmware's files --- */
extern const Property mon_props[], fw_cfg_props[];
OptionSetter option_add_mon, option_add_qmp, option_add_fw_cfg;

/* --- ui/option_qemu.c: accepted because what they ask for is so, or is spelt otherwise --- */
extern const Property action_props[];
OptionSetter option_add_object, option_set_action, option_set_no_hpet, option_set_keyboard,
    option_set_msg, option_set_overcommit, option_ignore, option_add_usbdevice;

#endif
