/* SPDX-License-Identifier: MIT */
/* Apart from ui/sdl.c because Xlib's names collide with ours. */
#ifndef UI_SDL_X11_H
#define UI_SDL_X11_H

struct SDL_Window;

/* Descriptor that becomes readable when events wait; -1: not X11. */
int sdl_connection_fd(struct SDL_Window *w);

#endif
