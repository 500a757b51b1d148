/* SPDX-License-Identifier: MIT */
/*
 * What users of other emulators ask for and dyad does not have: a hint instead of a bare
 * "unknown". A row here is only looked at when no option or device of that name exists.
 */
#ifndef UI_FOREIGN_H
#define UI_FOREIGN_H

/* Of an option, without its dashes; NULL: nothing is known of it. */
const char *foreign_option(const char *name);

/* Of a device's name. */
const char *foreign_device(const char *name);

#endif
