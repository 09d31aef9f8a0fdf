#include "base/clock.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static Usec read_clock(clockid_t id)
{
        struct timespec now;

        (void)clock_gettime(id, &now);
        return (Usec)now.tv_sec * USEC_PER_SEC + (Usec)now.tv_nsec / 1000;
}

static Usec system_now(void *userdata)
{
        (void)userdata;
        return read_clock(CLOCK_BOOTTIME);
}

static Usec system_wall(void *userdata)
{
        (void)userdata;
        return read_clock(CLOCK_REALTIME);
}

static void system_sleep_until(void *userdata, Usec when)
{
        struct timespec until = {
                .tv_sec = (time_t)(when / USEC_PER_SEC),
                .tv_nsec = (long)(when % USEC_PER_SEC * 1000),
        };

        (void)userdata;
        (void)clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
}

const Clock clock_system = {
        .now = system_now,
        .wall = system_wall,
        .sleep_until = system_sleep_until,
};

Usec clock_now(const Clock *clock)
{
        return clock->now(clock->userdata);
}

Usec clock_wall(const Clock *clock)
{
        return clock->wall(clock->userdata);
}

void clock_sleep_until(const Clock *clock, Usec when)
{
        while (clock_now(clock) < when)
                clock->sleep_until(clock->userdata, when);
}

Usec clock_deadline(const Clock *clock, Usec from_now)
{
        Usec deadline;

        if (__builtin_add_overflow(clock_now(clock), from_now, &deadline))
                return USEC_INFINITY;
        return deadline;
}

Usec clock_left(const Clock *clock, Usec deadline)
{
        Usec now = clock_now(clock);

        if (deadline == USEC_INFINITY)
                return USEC_INFINITY;
        return deadline > now ? deadline - now : 0;
}

bool clock_passed(const Clock *clock, Usec deadline)
{
        return clock_left(clock, deadline) == 0;
}

Usec usec_min(Usec a, Usec b)
{
        return a < b ? a : b;
}

void clock_format_utc(Usec wall, char ret[CLOCK_UTC_MAX])
{
        static const Usec last = 253402300799ULL; /* 9999-12-31T23:59:59Z */
        time_t seconds = (time_t)usec_min(wall / USEC_PER_SEC, last);
        struct tm parts = {};

        (void)gmtime_r(&seconds, &parts);
        (void)snprintf(ret,
                CLOCK_UTC_MAX,
                "%04u-%02u-%02uT%02u:%02u:%02uZ",
                (unsigned)(parts.tm_year + 1900) % 10000,
                (unsigned)(parts.tm_mon + 1) % 100,
                (unsigned)parts.tm_mday % 100,
                (unsigned)parts.tm_hour % 100,
                (unsigned)parts.tm_min % 100,
                (unsigned)parts.tm_sec % 100);
}

/* Reads `count` digits at *text, steps over them. */
static int take_number(const char **text, size_t count, int *ret)
{
        int value = 0;

        for (size_t i = 0; i < count; i++, (*text)++) {
                if (**text < '0' || **text > '9')
                        return -EINVAL;
                value = value * 10 + (**text - '0');
        }

        *ret = value;
        return 0;
}

static int take_literal(const char **text, const char *literal)
{
        if (!text_starts(*text, literal))
                return -EINVAL;
        *text += strlen(literal);
        return 0;
}

/* The parts of a date to microseconds; refuses a 31st of February and the like. */
static int parts_to_usec(const struct tm *parts, Usec *ret)
{
        struct tm normal = *parts;
        time_t seconds = timegm(&normal);

        if (seconds < 0 || normal.tm_mday != parts->tm_mday || normal.tm_mon != parts->tm_mon ||
                normal.tm_hour != parts->tm_hour || normal.tm_min != parts->tm_min)
                return -EINVAL;

        *ret = (Usec)seconds * USEC_PER_SEC;
        return 0;
}

static int take_time_of_day(const char **text, struct tm *parts)
{
        if (take_number(text, 2, &parts->tm_hour) < 0 || take_literal(text, ":") < 0 ||
                take_number(text, 2, &parts->tm_min) < 0 || take_literal(text, ":") < 0 ||
                take_number(text, 2, &parts->tm_sec) < 0)
                return -EINVAL;
        return parts->tm_hour > 23 || parts->tm_min > 59 || parts->tm_sec > 60 ? -EINVAL : 0;
}

/* ".123456789": digits behind the microseconds are dropped. */
static int take_fraction(const char **text, Usec *ret)
{
        Usec unit = USEC_PER_SEC, fraction = 0;

        if (**text != '.') {
                *ret = 0;
                return 0;
        }
        (*text)++;
        if (**text < '0' || **text > '9')
                return -EINVAL;
        for (; **text >= '0' && **text <= '9'; (*text)++) {
                unit /= 10;
                fraction += unit * (Usec)(**text - '0');
        }

        *ret = fraction;
        return 0;
}

int clock_parse_utc(const char *text, Usec *ret)
{
        struct tm parts = {};
        Usec whole, fraction;

        if (take_number(&text, 4, &parts.tm_year) < 0 || take_literal(&text, "-") < 0 ||
                take_number(&text, 2, &parts.tm_mon) < 0 || take_literal(&text, "-") < 0 ||
                take_number(&text, 2, &parts.tm_mday) < 0 || take_literal(&text, "T") < 0 ||
                take_time_of_day(&text, &parts) < 0 || take_fraction(&text, &fraction) < 0 ||
                take_literal(&text, "Z") < 0 || *text)
                return -EINVAL;

        parts.tm_year -= 1900;
        parts.tm_mon -= 1;
        if (parts_to_usec(&parts, &whole) < 0)
                return -EINVAL;

        *ret = whole + fraction;
        return 0;
}

static int take_month(const char **text, int *ret)
{
        static const char *const months[] = {
                "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

        for (size_t i = 0; i < ELEMENTS(months); i++)
                if (take_literal(text, months[i]) == 0) {
                        *ret = (int)i;
                        return 0;
                }
        return -EINVAL;
}

int clock_parse_http_date(const char *text, Usec *ret)
{
        struct tm parts = {};

        text = strchr(text, ','); /* the day's name says nothing new */
        if (!text)
                return -EINVAL;

        if (take_literal(&text, ", ") < 0 || take_number(&text, 2, &parts.tm_mday) < 0 ||
                take_literal(&text, " ") < 0 || take_month(&text, &parts.tm_mon) < 0 ||
                take_literal(&text, " ") < 0 || take_number(&text, 4, &parts.tm_year) < 0 ||
                take_literal(&text, " ") < 0 || take_time_of_day(&text, &parts) < 0 ||
                take_literal(&text, " GMT") < 0 || *text)
                return -EINVAL;

        parts.tm_year -= 1900;
        return parts_to_usec(&parts, ret);
}

const char *clock_format_span(Usec span, char ret[CLOCK_SPAN_MAX])
{
        Usec seconds = span / USEC_PER_SEC;

        if (span == USEC_INFINITY)
                (void)snprintf(ret, CLOCK_SPAN_MAX, "for ever");
        else if (span < USEC_PER_SEC)
                (void)snprintf(ret, CLOCK_SPAN_MAX, "%" PRIu64 " ms", span / USEC_PER_MSEC);
        else if (span < USEC_PER_MINUTE)
                (void)snprintf(ret,
                        CLOCK_SPAN_MAX,
                        "%" PRIu64 ".%" PRIu64 " s",
                        seconds,
                        span % USEC_PER_SEC / (100 * USEC_PER_MSEC));
        else if (span < USEC_PER_HOUR)
                (void)snprintf(ret,
                        CLOCK_SPAN_MAX,
                        "%" PRIu64 " min %" PRIu64 " s",
                        seconds / 60,
                        seconds % 60);
        else if (span < USEC_PER_DAY)
                (void)snprintf(ret,
                        CLOCK_SPAN_MAX,
                        "%" PRIu64 " h %" PRIu64 " min",
                        seconds / 3600,
                        seconds / 60 % 60);
        else
                (void)snprintf(ret,
                        CLOCK_SPAN_MAX,
                        "%" PRIu64 " d %" PRIu64 " h",
                        seconds / 86400,
                        seconds / 3600 % 24);
        return ret;
}
