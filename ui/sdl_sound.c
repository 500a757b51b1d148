/* SPDX-License-Identifier: MIT */
/*
 * The PC speaker through SDL: a square wave of the pitch that the guest set last. SDL calls
 * fill() on a thread of its own, which looks at nothing but `hz` and `running`. The device
 * is opened with the first tone and rests half a second after the last one, so that a
 * silent guest costs nothing. A host without sound stays silent; that is said once.
 */
#include "ui/sdl_sound.h"

#include <stdatomic.h>

#include "hw/core/clock.h"
#include "hw/core/machine.h"
#include "util/error.h"

enum { RATE = 44100, VOLUME = 5000, SAMPLES = 512 };
#define REST_NS (500 * 1000000ll)

typedef struct Sound {
    Machine *m;
    const SdlFns *lib;
    SDL_AudioDeviceID device;   /* 0: not opened */
    Timer rest;
    bool playing;
    _Atomic unsigned hz;        /* 0: silence */
    uint32_t phase;             /* fill()'s: of the wave, 2^32 a period */
} Sound;

static Sound sound;

static void fill(void *opaque, Uint8 *stream, int bytes)
{
    Sound *d = opaque;
    int16_t *out = (int16_t *)(void *)stream;
    unsigned hz = d->m->state == RUN_RUNNING ? atomic_load(&d->hz) : 0;
    uint32_t step = (uint32_t)(((uint64_t)hz << 32) / RATE);

    for (int i = 0; i < bytes / 2; i++) {
        out[i] = !hz ? 0 : d->phase & 0x80000000u ? VOLUME : -VOLUME;
        d->phase += step;
    }
}

static bool open_device(Sound *d)
{
    const SDL_AudioSpec want = { .freq = RATE, .format = AUDIO_S16SYS, .channels = 1,
                                 .samples = SAMPLES, .callback = fill, .userdata = d };
    SDL_AudioSpec got;
    if (d->lib->SDL_InitSubSystem(SDL_INIT_AUDIO) == 0) {
        d->device = d->lib->SDL_OpenAudioDevice(NULL, 0, &want, &got, 0);
    }
    if (!d->device) {
        warn_report("no sound: %s", d->lib->SDL_GetError());
        d->m->speaker = NULL;
    }
    return d->device != 0;
}

static void on_rest(void *opaque)
{
    Sound *d = opaque;
    d->lib->SDL_PauseAudioDevice(d->device, 1);
    d->playing = false;
}

/* Above what anybody hears is what guests set to be silent. */
static void on_tone(Machine *m, unsigned hz)
{
    Sound *d = &sound;
    hz = hz < RATE / 2 ? hz : 0;
    if (!d->device && (!hz || !open_device(d))) {
        return;
    }
    atomic_store(&d->hz, hz);
    if (!hz) {
        timer_mod(&d->rest, clock_now(m->clock) + REST_NS);
        return;
    }
    timer_del(&d->rest);
    if (!d->playing) {
        d->lib->SDL_PauseAudioDevice(d->device, 0);
        d->playing = true;
    }
}

void sdl_sound_start(Machine *m, const SdlFns *lib)
{
    sound = (Sound){ .m = m, .lib = lib };
    timer_init(&sound.rest, m->clock, on_rest, &sound);
    m->speaker = on_tone;
}

void sdl_sound_stop(void)
{
    sound.m->speaker = NULL;
    timer_del(&sound.rest);
    if (sound.device) {
        sound.lib->SDL_CloseAudioDevice(sound.device);
    }
}
