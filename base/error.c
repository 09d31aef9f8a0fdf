#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct {
        int code;
        int status;
} exit_statuses[] = {
        {EINVAL, EX_USAGE},
        {EBADMSG, EX_DATAERR},
        {EKEYREJECTED, EX_DATAERR},
        {EKEYEXPIRED, EX_DATAERR},
        {EOVERFLOW, EX_DATAERR},
        {EMSGSIZE, EX_DATAERR},
        {EFBIG, EX_DATAERR},
        {ELOOP, EX_DATAERR},
        {ENOENT, EX_NOINPUT},
        {ENOTDIR, EX_NOINPUT},
        {EISDIR, EX_NOINPUT},
        {EHOSTUNREACH, EX_NOHOST},
        {ENETUNREACH, EX_NOHOST},
        {ENXIO, EX_NOHOST},
        {ECONNREFUSED, EX_UNAVAILABLE},
        {ECONNRESET, EX_UNAVAILABLE},
        {ECONNABORTED, EX_UNAVAILABLE},
        {ENOTCONN, EX_UNAVAILABLE},
        {EPIPE, EX_UNAVAILABLE},
        {EOPNOTSUPP, EX_UNAVAILABLE},
        {ENOMEM, EX_OSERR},
        {EMFILE, EX_OSERR},
        {ENFILE, EX_OSERR},
        {EEXIST, EX_CANTCREAT},
        {ENOTEMPTY, EX_CANTCREAT},
        {EIO, EX_IOERR},
        {ENOSPC, EX_IOERR},
        {EDQUOT, EX_IOERR},
        {EROFS, EX_IOERR},
        {ETIMEDOUT, EX_TEMPFAIL},
        {EAGAIN, EX_TEMPFAIL},
        {EBUSY, EX_TEMPFAIL},
        {EPROTO, EX_PROTOCOL},
        {EACCES, EX_NOPERM},
        {EPERM, EX_NOPERM},
        {EDOM, EX_CONFIG},
};

/* Formats into a buffer of ERROR_TEXT_MAX bytes; never leaves half a character at the cut. */
static void format_text(char *text, const char *format, va_list arguments) _printf_(2, 0);
static void format_text(char *text, const char *format, va_list arguments)
{
        int length = vsnprintf(text, ERROR_TEXT_MAX, format, arguments);

        if (length < 0)
                text[0] = '\0';
        else if ((size_t)length >= ERROR_TEXT_MAX)
                text_shorten(text, ERROR_TEXT_MAX - 1);
        text_mend_utf8(text);
        text_flatten(text);
}

static void join_texts(Error *error, const char *first, const char *second)
{
        char joined[2 * ERROR_TEXT_MAX];

        (void)snprintf(joined, sizeof(joined), "%s%s", first, second);
        if (strlen(joined) >= ERROR_TEXT_MAX)
                text_shorten(joined, ERROR_TEXT_MAX - 1);
        memcpy(error->text, joined, strlen(joined) + 1);
}

void error_record(Error *ret_error, int code, const char *format, ...)
{
        char text[ERROR_TEXT_MAX];
        va_list arguments;

        if (!ret_error)
                return;

        errno = code < 0 ? -code : errno;
        va_start(arguments, format);
        format_text(text, format, arguments);
        va_end(arguments);
        join_texts(ret_error, text, "");
}

void error_record_before(Error *ret_error, const char *format, ...)
{
        char text[ERROR_TEXT_MAX], before[ERROR_TEXT_MAX + 2];
        va_list arguments;

        if (!ret_error)
                return;

        va_start(arguments, format);
        format_text(text, format, arguments);
        va_end(arguments);
        (void)snprintf(before, sizeof(before), "%s%s", text, ret_error->text[0] ? ": " : "");
        join_texts(ret_error, before, ret_error->text);
}

void error_record_behind(Error *ret_error, const char *format, ...)
{
        char text[ERROR_TEXT_MAX];
        va_list arguments;

        if (!ret_error)
                return;

        va_start(arguments, format);
        format_text(text, format, arguments);
        va_end(arguments);
        join_texts(ret_error, ret_error->text, text);
}

int error_exit_status(int code)
{
        if (code == 0)
                return EX_OK;

        for (size_t i = 0; i < ELEMENTS(exit_statuses); i++)
                if (exit_statuses[i].code == -code)
                        return exit_statuses[i].status;

        return EX_SOFTWARE;
}
