/* SPDX-License-Identifier: MIT */
/* The functions of SDL2 that ui/sdl.c calls: the library is opened with the first window. */
#ifndef UI_SDL_LIB_H
#define UI_SDL_LIB_H

#include <SDL2/SDL.h>
#include "util/lazylib.h"

#define SDL_FNS(F)                                                                       \
    F(SDL_CreateRGBSurfaceWithFormat)                                                    \
    F(SDL_CloseAudioDevice) F(SDL_InitSubSystem) F(SDL_OpenAudioDevice)                  \
    F(SDL_PauseAudioDevice)                                                              \
    F(SDL_CreateWindow) F(SDL_DestroyWindow) F(SDL_FillRect) F(SDL_FreeSurface)          \
        F(SDL_GetDisplayUsableBounds) F(SDL_GetError) F(SDL_GetWindowDisplayIndex)       \
            F(SDL_GetWindowFlags) F(SDL_GetWindowSize) F(SDL_GetWindowSurface)           \
                F(SDL_Init) F(SDL_IntersectRect) F(SDL_LockSurface) F(SDL_PollEvent)     \
                    F(SDL_Quit) F(SDL_SetHint) F(SDL_SetRelativeMouseMode)               \
                        F(SDL_SetWindowFullscreen) F(SDL_SetWindowGrab)                  \
                            F(SDL_SetWindowSize) F(SDL_SetWindowTitle) F(SDL_ShowCursor) \
                                F(SDL_StopTextInput) F(SDL_UnlockSurface)                \
                                    F(SDL_UpdateWindowSurface)                           \
                                        F(SDL_UpdateWindowSurfaceRects) F(SDL_UpperBlit)

typedef struct SdlFns {
    SDL_FNS(LAZY_FIELD)
} SdlFns;

#endif
