/* Time, as a parameter: what waits, waits on a Clock, and tests drive a virtual one.
 *
 * Two times: `now` never goes back and counts while a machine is suspended (CLOCK_BOOTTIME); all
 * deadlines are on it. `wall` is the time of day (CLOCK_REALTIME), for certificates, signatures and
 * people; it can be wrong at boot and jump. Both in microseconds.
 */

#pragma once

#include "base/macro.h"

#include <stdbool.h>

typedef uint64_t Usec;

#define USEC_INFINITY   UINT64_MAX
#define USEC_PER_MSEC   ((Usec)1000)
#define USEC_PER_SEC    ((Usec)1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)

typedef struct Clock {
        Usec (*now)(void *userdata);
        Usec (*wall)(void *userdata);                   /* since 1970-01-01T00:00:00Z */
        void (*sleep_until)(void *userdata, Usec when); /* on `now`; may return at a signal */
        void *userdata;
} Clock;

/* The kernel's clocks. */
extern const Clock clock_system;

Usec clock_now(const Clock *clock);
Usec clock_wall(const Clock *clock);

/* Sleeps to `when`, whatever signals come. */
void clock_sleep_until(const Clock *clock, Usec when);

/* A deadline is an instant of `now`; USEC_INFINITY is none. */
Usec clock_deadline(const Clock *clock, Usec from_now); /* saturates */
Usec clock_left(const Clock *clock, Usec deadline);     /* 0 once it has passed */
bool clock_passed(const Clock *clock, Usec deadline);

/* The earlier of two. */
Usec usec_min(Usec a, Usec b);

/* "2026-11-24T09:05:00Z" of a wall time, as RFC 3339 has it; `ret` holds 21 bytes. Years up to
 * 9999; later ones are written as the last second of 9999. */
#define CLOCK_UTC_MAX 21U
void clock_format_utc(Usec wall, char ret[CLOCK_UTC_MAX]);

/* Back again: RFC 3339 in UTC with whole or fractional seconds ("…Z"), or the IMF-fixdate of HTTP's
 * Date header (RFC 9110, 5.6.7). -EINVAL. Neither asks the locale. */
int clock_parse_utc(const char *text, Usec *ret);
int clock_parse_http_date(const char *text, Usec *ret);

/* "4.2 s", "350 ms", "2 min 5 s", "3 d 4 h": a length of time for people; `ret` holds 32 bytes. */
#define CLOCK_SPAN_MAX 32U
const char *clock_format_span(Usec span, char ret[CLOCK_SPAN_MAX]);
