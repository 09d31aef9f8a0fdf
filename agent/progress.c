#include "agent/progress.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP_COLUMN 18
#define CONSOLE     "/dev/console"
#define IDENTIFIER  "flocker-bootstrap"

int progress_begin(ProgressStyle style, bool journal, Progress *ret, Error *ret_error)
{
        LogOptions options = {
                .identifier = IDENTIFIER,
                .fd = style == PROGRESS_JSON ? STDERR_FILENO : STDOUT_FILENO,
                .journal = journal,
                .color = style == PROGRESS_TERMINAL,
                .max_level = LOG_LEVEL_INFO,
        };

        *ret = (Progress){.style = style};
        if (journal)
                systemd_own_unit(ret->unit);
        return log_new(&options, &ret->log, ret_error);
}

void progress_done(Progress *progress)
{
        progress->log = log_free(progress->log);
}

static void write_line(Progress *progress,
        LogLevel level,
        const char *step,
        const char *event,
        const char *format,
        ...) _printf_(5, 6);

static void write_line(Progress *progress,
        LogLevel level,
        const char *step,
        const char *event,
        const char *format,
        ...)
{
        const LogField fields[] = {
                {"FLOCKER_STEP", step},
                {"FLOCKER_EVENT", event},
                {"FLOCKER_ROLE", progress->role},
                {"FLOCKER_RUN", progress->run},
                /* journald looks a line's unit up by its process, which may have ended by then */
                {"OBJECT_SYSTEMD_UNIT", progress->unit[0] ? progress->unit : NULL},
        };
        char text[LOG_LINE_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        /* The step's line may be this process's or the worker's, which has ended. */
        if (progress->style == PROGRESS_TERMINAL)
                (void)!write(STDOUT_FILENO, "\r\033[K", 4);
        if (progress->style == PROGRESS_JSON && level == LOG_LEVEL_INFO)
                return; /* the journal of steps says it */
        log_write(progress->log, level, fields, ELEMENTS(fields), "%s", text);
}

void progress_step_started(Progress *progress, const char *step)
{
        if (progress->style != PROGRESS_TERMINAL)
                return;
        printf("%-*s ...", STEP_COLUMN, step);
        (void)fflush(stdout);
}

void progress_step_done(Progress *progress, const char *step, Usec took)
{
        char span[CLOCK_SPAN_MAX];

        write_line(progress,
                LOG_LEVEL_INFO,
                step,
                "done",
                "%-*s done in %s",
                STEP_COLUMN,
                step,
                clock_format_span(took, span));
}

void progress_step_skipped(Progress *progress, const char *step)
{
        write_line(progress,
                LOG_LEVEL_INFO,
                step,
                "skipped",
                "%-*s is done already",
                STEP_COLUMN,
                step);
}

void progress_waiting(Progress *progress, const char *step, const char *what)
{
        write_line(progress,
                LOG_LEVEL_INFO,
                step,
                "waiting",
                "%-*s waits for %s",
                STEP_COLUMN,
                step,
                what);
}

void progress_would(Progress *progress, const char *step, const char *what)
{
        write_line(
                progress, LOG_LEVEL_INFO, step, "would", "%-*s would %s", STEP_COLUMN, step, what);
}

void progress_note(Progress *progress, LogLevel level, const char *text)
{
        write_line(progress, level, NULL, "note", "%s", text);
}

/* What cloud-init's stages print goes to the console by itself. So does what our own unit prints
 * (StandardOutput=journal+console), but its lines reach the journal with fields, and not as prints.
 */
static void write_console(const Progress *progress, const char *reason)
{
        bool printed = getenv("INVOCATION_ID") && log_has_stream(progress->log);
        int fd = -1;

        if (!printed && !isatty(STDOUT_FILENO))
                fd = open(CONSOLE, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return;
        (void)dprintf(fd, "\r\n" IDENTIFIER ": failed: %s\r\n", reason);
        (void)close(fd);
}

void progress_failed(Progress *progress, const char *step, const char *reason, bool console)
{
        write_line(progress, LOG_LEVEL_ERROR, step, "failed", "failed: %s", reason);
        if (console)
                write_console(progress, reason);
}
