#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct Log {
        LogOptions options;
        char *identifier;
        bool journal; /* lines go there */
        bool stream;  /* lines go to options.fd */
};

static const struct {
        const char *name;
        const char *color;
} levels[] = {
        [LOG_LEVEL_ERROR] = {"error: ", "\x1B[31m"},
        [LOG_LEVEL_WARNING] = {"warning: ", "\x1B[33m"},
        [LOG_LEVEL_NOTICE] = {"", ""},
        [LOG_LEVEL_INFO] = {"", ""},
        [LOG_LEVEL_DEBUG] = {"", "\x1B[2m"},
};

/* True if the descriptor is the stream that systemd connected to the journal for us. */
static bool is_journal_stream(int fd)
{
        const char *named = getenv("JOURNAL_STREAM");
        char actual[64];
        struct stat status;

        if (!named || fstat(fd, &status) < 0)
                return false;
        (void)snprintf(actual,
                sizeof(actual),
                "%" PRIu64 ":%" PRIu64,
                (uint64_t)status.st_dev,
                (uint64_t)status.st_ino);
        return text_equal(named, actual);
}

int log_new(const LogOptions *options, Log **ret, Error *ret_error)
{
        Log *log = calloc(1, sizeof(*log));

        if (log)
                log->identifier = text_copy(options->identifier);
        if (!log || !log->identifier) {
                free(log);
                return error_set(ret_error, -ENOMEM, "cannot open the log: %m");
        }

        log->options = *options;
        log->options.identifier = log->identifier;
        log->journal = options->journal && access(JOURNAL_SOCKET, W_OK) == 0;
        log->stream = options->fd >= 0 && !(log->journal && is_journal_stream(options->fd));
        *ret = log;
        return 0;
}

Log *log_free(Log *log)
{
        if (log)
                free(log->identifier);
        free(log);
        return NULL;
}

bool log_has_stream(const Log *log)
{
        return log->stream;
}

/* One write for one line, so that lines of several processes do not mix. */
static void write_stream(const Log *log, LogLevel level, const char *text)
{
        bool color = log->options.color && levels[level].color[0];
        char line[LOG_LINE_MAX + 128], now[CLOCK_UTC_MAX] = "";
        int length;

        if (log->options.timestamps)
                clock_format_utc(clock_wall(&clock_system), now);
        length = snprintf(line,
                sizeof(line),
                "%s%s%s%s%s%s\n",
                now,
                now[0] ? " " : "",
                color ? levels[level].color : "",
                levels[level].name,
                text,
                color ? "\x1B[0m" : "");
        while (length > 0 && write(log->options.fd, line, (size_t)length) < 0 && errno == EINTR)
                ;
}

/* "NAME=value" on the heap; NULL when memory is out: the field is then left out. */
static void add_field(struct iovec *fields, int *n, const char *name, const char *value)
{
        char *text = text_format("%s=%s", name, value);

        if (text)
                fields[(*n)++] = (struct iovec){text, strlen(text)};
}

static void write_journal(
        Log *log, LogLevel level, const LogField *fields, size_t n_fields, const char *text)
{
        struct iovec vector[LOG_FIELDS_MAX + 3];
        char priority[4];
        int n = 0, r;

        (void)snprintf(priority, sizeof(priority), "%u", (unsigned)level % 10);
        add_field(vector, &n, "MESSAGE", text);
        add_field(vector, &n, "PRIORITY", priority);
        add_field(vector, &n, "SYSLOG_IDENTIFIER", log->identifier);
        for (size_t i = 0; i < n_fields && i < LOG_FIELDS_MAX; i++)
                if (fields[i].value)
                        add_field(vector, &n, fields[i].name, fields[i].value);

        r = sd_journal_sendv(vector, n);
        for (int i = 0; i < n; i++)
                free(vector[i].iov_base);
        if (r >= 0)
                return;

        log->journal = false;
        log->stream = log->options.fd >= 0;
        errno = -r;
        log_warning(
                log, "cannot write to the systemd journal, and write here alone from now on: %m");
}

void log_write(
        Log *log, LogLevel level, const LogField *fields, size_t n_fields, const char *format, ...)
{
        char text[LOG_LINE_MAX];
        va_list arguments;
        int length, saved = errno;

        if (!log || level > log->options.max_level)
                return;

        va_start(arguments, format);
        length = vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (length >= (int)sizeof(text))
                text_shorten(text, sizeof(text) - 1);
        text_mend_utf8(text);
        text_flatten(text);

        if (log->journal)
                write_journal(log, level, fields, n_fields, text);
        if (log->stream)
                write_stream(log, level, text);
        errno = saved;
}
