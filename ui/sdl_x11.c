/* SPDX-License-Identifier: MIT */
/* The X connection behind an SDL window. */
#include "ui/sdl_x11.h"

#include <SDL2/SDL_syswm.h>
#include "util/lazylib.h"

#define X11_FNS(F) F(SDL_GetWindowWMInfo)
static struct {
    X11_FNS(LAZY_FIELD)
} lib;
static const char *const lib_names[] = { X11_FNS(LAZY_NAME) NULL };
static LazyLib lib_file = { SONAME_SDL2, lib_names, (void **)&lib, false };

int sdl_connection_fd(SDL_Window *w)
{
#ifdef SDL_VIDEO_DRIVER_X11
    SDL_SysWMinfo info;
    Error err = ERROR_INIT;
    if (!lazylib_load(&lib_file, &err)) {
        error_free(&err);
        return -1;
    }
    SDL_VERSION(&info.version);
    if (lib.SDL_GetWindowWMInfo(w, &info) && info.subsystem == SDL_SYSWM_X11) {
        return ConnectionNumber(info.info.x11.display);
    }
#endif
    return -1;
}
