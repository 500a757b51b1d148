/* SPDX-License-Identifier: MIT */
/* The PC speaker, heard through SDL. Main thread, machine lock held. */
#ifndef UI_SDL_SOUND_H
#define UI_SDL_SOUND_H

#include "ui/sdl_lib.h"

struct Machine;

/* Takes the machine's speaker; the sound device is opened with the first tone. `lib` is
 * loaded and stays. */
void sdl_sound_start(struct Machine *m, const SdlFns *lib);
void sdl_sound_stop(void);

#endif
