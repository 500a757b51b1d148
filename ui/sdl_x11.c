/* SPDX-License-Identifier: MIT */
/* The X connection behind an SDL window. */
#include "ui/sdl_x11.h"

#include <SDL2/SDL_syswm.h>

int sdl_connection_fd(SDL_Window *w)
{
#ifdef SDL_VIDEO_DRIVER_X11
    SDL_SysWMinfo info;
    SDL_VERSION(&info.version);
    if (SDL_GetWindowWMInfo(w, &info) && info.subsystem == SDL_SYSWM_X11) {
        return ConnectionNumber(info.info.x11.display);
    }
#endif
    return -1;
}
