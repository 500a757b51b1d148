/* SPDX-License-Identifier: MIT */
/* SDL's physical keys to Linux input event codes. */
#ifndef UI_SDL_KEYMAP_H
#define UI_SDL_KEYMAP_H

/* KEY_* for an SDL_Scancode, 0: none. By position: the host's layout does not matter. */
unsigned sdl_key(int scancode);

#endif
