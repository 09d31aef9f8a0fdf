#include "agent/sources.h"

#include "agent/document.h"
#include "agent/machine.h"
#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define USER_DATA "user-data"

/* A file that is no user-data of any kind is taken for the document itself. */
static int read_file(SettingsBook *book, const char *path, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer raw = BUFFER_INIT(DOCUMENT_SIZE_MAX);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(DOCUMENT_SIZE_MAX);
        int r = file_read(AT_FDCWD, path, DOCUMENT_SIZE_MAX, &raw, ret_error);

        if (r == 0)
                r = document_find(path, buffer_text(&raw), raw.size, &text, ret_error);
        if (r < 0)
                return r;
        return r == DOCUMENT_ABSENT
                       ? settings_read_document(book, path, buffer_text(&raw), raw.size, ret_error)
                       : settings_read_document(
                                 book, path, buffer_text(&text), text.size, ret_error);
}

static int read_user_data(SettingsBook *book, Metadata *metadata, Usec deadline, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer raw = BUFFER_INIT(METADATA_VALUE_MAX);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(DOCUMENT_SIZE_MAX);
        int r = metadata_get(metadata, USER_DATA, deadline, &raw, ret_error);

        if (r == METADATA_ABSENT)
                return 0;
        if (r == 0)
                r = document_find(USER_DATA, buffer_text(&raw), raw.size, &text, ret_error);
        if (r != DOCUMENT_FOUND)
                return r < 0 ? r : 0;
        return settings_read_document(book, USER_DATA, buffer_text(&text), text.size, ret_error);
}

static int check_own_role(const Sources *sources, const SettingsBook *book, Error *ret_error)
{
        return settings_check_role(
                book, (RoleKind)book->document_role, sources->force_role, ret_error);
}

/* What a person can get wrong is told before anything is asked or waited for. The handle is kept:
 * whoever waits for it is told too. *ret_wait: metadata that is waited for longer than half the
 * stack's time-out leaves too little to tell of it. */
static int check_slips(const Sources *sources, SettingsBook *ret, Usec *ret_wait, Error *ret_error)
{
        _cleanup_(settings_book_done) SettingsBook book = {};
        int r = settings_begin(&book, ret_error);

        if (r == 0 && sources->document)
                r = read_file(&book, sources->document, ret_error);
        if (r == 0)
                r = settings_read_texts(&book, sources->texts, ret_error);
        if (r == 0)
                r = check_own_role(sources, &book, ret_error);
        if (r < 0)
                ret->settings.signal = TAKE_PTR(book.settings.signal);
        else
                *ret_wait = usec_min(sources->wait, book.settings.timeout / 2);
        return r;
}

int sources_read(
        const Sources *sources, SettingsBook *ret, MetadataIdentity *ret_identity, Error *ret_error)
{
        _cleanup_(machine_done) Machine machine = {};
        Usec wait, deadline;
        int r = settings_begin(ret, ret_error);

        if (r == 0)
                r = check_slips(sources, ret, &wait, ret_error);
        if (r == 0 && (sources->tags || !sources->document)) {
                deadline = clock_deadline(&clock_system, wait);
                r = machine_open(wait, &machine, ret_error);
                if (r == 0)
                        metadata_on_silence(machine.metadata, sources->silent, sources->userdata);
                if (r == 0)
                        r = metadata_get_identity(
                                machine.metadata, deadline, ret_identity, ret_error);
                if (r == 0 && sources->tags)
                        r = settings_read_tags(ret, machine.metadata, deadline, ret_error);
                if (r == 0 && !sources->document)
                        r = read_user_data(ret, machine.metadata, deadline, ret_error);
                if (r < 0 && sources->document) /* its handle can still be signalled */
                        (void)read_file(ret, sources->document, NULL);
        }
        if (r == 0 && sources->document)
                r = read_file(ret, sources->document, ret_error);
        if (r == 0)
                r = settings_read_texts(ret, sources->texts, ret_error);
        return r < 0 ? r : check_own_role(sources, ret, ret_error);
}

const char *sources_describe_silence(const char *where, Usec until, char place[SOURCES_SILENCE_MAX])
{
        Usec left = clock_left(&clock_system, until);
        bool long_wait = left > USEC_PER_MINUTE;
        Usec unit = long_wait ? USEC_PER_MINUTE : USEC_PER_SEC;
        char when[CLOCK_UTC_MAX];

        clock_format_utc(clock_wall(&clock_system) + left, when);
        (void)snprintf(place,
                SOURCES_SILENCE_MAX,
                "waits for the metadata service at %s until %.8s UTC (%" PRIu64 " %s); elsewhere "
                "than on EC2 name one in AWS_EC2_METADATA_SERVICE_ENDPOINT; 'flocker-bootstrap "
                "config check FILE' judges a document without one",
                where,
                strchr(when, 'T') + 1,
                (left + unit - 1) / unit,
                long_wait ? "min" : "s");
        return place;
}
