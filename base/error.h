/* What went wrong, in two parts: a negative errno for code, and a sentence for people.
 *
 * A function that can fail in a way a person has to read about takes an `Error *ret_error` as its
 * last parameter and writes one sentence into it: "cannot <verb> '<object>': <cause>". It neither
 * logs nor exits. NULL is allowed where the caller does not want the sentence. The sentence is
 * written once, at the level that knows what it means for the user; a caller that knows more puts
 * its part in front with error_prefix().
 *
 *         if (fd < 0)
 *                 return error_set(ret_error, -errno, "cannot open '%s': %m", path);
 *
 * An Error holds its text in place: recording one cannot fail, and nothing has to be freed. It is
 * safe in a child after fork and is no place for a secret: its text goes to logs and to
 * CloudFormation.
 */

#pragma once

#include "base/macro.h"

#define ERROR_TEXT_MAX 1024U /* bytes, with the terminating NUL; longer text is cut with "…" */

typedef struct Error {
        char text[ERROR_TEXT_MAX]; /* one sentence in UTF-8 without a newline; "": none */
} Error;

#define ERROR_INIT ((Error){.text = ""})

/* Each gives `code` (a negative errno) back, so that a failure is one statement. They are macros
 * over functions for that alone: compilers and analysers see the code come back. Control characters
 * become spaces and what is no UTF-8 '?': a peer's text cannot forge a second log line.
 *
 *         error_set      replaces the text ("%m" is the code's)
 *         error_prefix   puts "<text>: " in front of what is there
 *         error_append   puts "<text>" behind what is there (a remedy, mostly) */
#define error_set(ret_error, code, ...)                      \
        ({                                                   \
                int _code = (code);                          \
                error_record(ret_error, _code, __VA_ARGS__); \
                _code;                                       \
        })
#define error_prefix(ret_error, code, ...)                   \
        ({                                                   \
                int _code = (code);                          \
                error_record_before(ret_error, __VA_ARGS__); \
                _code;                                       \
        })
#define error_append(ret_error, code, ...)                   \
        ({                                                   \
                int _code = (code);                          \
                error_record_behind(ret_error, __VA_ARGS__); \
                _code;                                       \
        })

void error_record(Error *ret_error, int code, const char *format, ...) _printf_(3, 4);
void error_record_before(Error *ret_error, const char *format, ...) _printf_(2, 3);
void error_record_behind(Error *ret_error, const char *format, ...) _printf_(2, 3);

/* The sysexits.h code with which a program ends after the negative errno `code`; 0 for 0:
 *
 *         -EINVAL                       EX_USAGE        64  a command line
 *         -EBADMSG, -EKEYREJECTED, …    EX_DATAERR      65  malformed data, what does not hold
 *         -ENOENT, -ENOTDIR, -EISDIR    EX_NOINPUT      66
 *         -EHOSTUNREACH, -ENXIO, …      EX_NOHOST       68  a name or address that is not there
 *         -ECONNREFUSED, -ENOTCONN, …   EX_UNAVAILABLE  69  a service that does not answer
 *         -ENOMEM, -EMFILE, -ENFILE     EX_OSERR        71
 *         -EEXIST, -ENOTEMPTY           EX_CANTCREAT    73
 *         -EIO, -ENOSPC, -EROFS, …      EX_IOERR        74
 *         -ETIMEDOUT, -EAGAIN, -EBUSY   EX_TEMPFAIL     75
 *         -EPROTO                       EX_PROTOCOL     76  a peer that breaks its protocol
 *         -EACCES, -EPERM               EX_NOPERM       77
 *         -EDOM                         EX_CONFIG       78  a setting that cannot be used
 *         anything else                 EX_SOFTWARE     70
 */
int error_exit_status(int code);
