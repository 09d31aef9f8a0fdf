/* One line a message, to stderr and, with fields, to the systemd journal.
 *
 * Only programs and roles log; libraries return an Error. A message is one sentence; what a machine
 * wants to search for goes into fields. Neither may hold a secret. Where there is no journal
 * (/run/systemd/journal/socket is absent, a container), lines go to stderr alone. When stderr is
 * the journal already ($JOURNAL_STREAM names its device and inode: systemd.exec(5)), lines go to
 * the journal alone.
 */

#pragma once

#include "base/error.h"

#include <stdbool.h>

typedef enum LogLevel { /* syslog(3)'s numbers */
        LOG_LEVEL_ERROR = 3,
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_NOTICE = 5,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7,
} LogLevel;

#define LOG_FIELDS_MAX 16U
#define LOG_LINE_MAX   4096U /* bytes; a longer line is cut with "…" */

/* A field of the journal: an upper-case name (systemd.journal-fields(7)), a value without NUL. */
typedef struct LogField {
        const char *name;
        const char *value; /* NULL: the field is left out */
} LogField;

typedef struct Log Log;

typedef struct LogOptions {
        const char *identifier; /* SYSLOG_IDENTIFIER: the program's name */
        int fd;                 /* where lines go; -1: nowhere */
        bool journal;           /* send to the journal too, where there is one */
        bool timestamps;        /* put the UTC time in front of each line on fd */
        bool color;             /* errors red, warnings yellow: for a terminal */
        LogLevel max_level;     /* what is more verbose than this is dropped */
} LogOptions;

int log_new(const LogOptions *options, Log **ret, Error *ret_error);
Log *log_free(Log *log);
DEFINE_CLEANUP(Log *, log_free);

/* Do lines go to options.fd? They do not where that is the journal, which has them already. */
bool log_has_stream(const Log *log);

/* `log` NULL: nothing. Cannot fail: a journal that does not take a line is given up for good, with
 * one line on fd that says so. Control characters in the text become spaces. */
void log_write(
        Log *log, LogLevel level, const LogField *fields, size_t n_fields, const char *format, ...)
        _printf_(5, 6);

#define log_error(log, ...)   log_write(log, LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)
#define log_warning(log, ...) log_write(log, LOG_LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_notice(log, ...)  log_write(log, LOG_LEVEL_NOTICE, NULL, 0, __VA_ARGS__)
#define log_info(log, ...)    log_write(log, LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(log, ...)   log_write(log, LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
