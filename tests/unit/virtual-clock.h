/* A clock that stands still but for those who wait on it: ten minutes pass in no time. */

#pragma once

#include "base/clock.h"

typedef struct VirtualClock {
        Usec now, wall;
        unsigned sleeps;
        Clock clock; /* to hand out */
} VirtualClock;

static inline Usec virtual_now(void *userdata)
{
        return ((VirtualClock *)userdata)->now;
}

static inline Usec virtual_wall(void *userdata)
{
        return ((VirtualClock *)userdata)->wall;
}

static inline void virtual_sleep_until(void *userdata, Usec when)
{
        VirtualClock *clock = userdata;

        if (when > clock->now) {
                clock->wall += when - clock->now;
                clock->now = when;
        }
        clock->sleeps++;
}

/* Begins at 2026-11-24T12:00:00Z. */
static inline void virtual_clock_init(VirtualClock *clock)
{
        *clock = (VirtualClock){
                .now = 1000 * USEC_PER_SEC,
                .wall = 1795521600 * USEC_PER_SEC,
                .clock = {virtual_now, virtual_wall, virtual_sleep_until, clock},
        };
}

/* A random source that counts up: every run the same. */
static inline uint64_t counting_next(void *userdata)
{
        uint64_t *state = userdata;

        *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
        return *state ^ *state >> 33;
}
