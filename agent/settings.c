#include "agent/settings-table.h"

#include "agent/document.h"
#include "base/text.h"
#include "certs/key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_PREFIX "flocker:"
#define LIST_MAX   512U

static void reading_done(SettingsReading *reading)
{
        settings_done(&reading->settings);
        for (char **name = reading->components; name && *name; name++)
                free(*name);
        free(reading->components);
}
DEFINE_CLEANUP_IN_PLACE(SettingsReading, reading_done);

void settings_book_done(SettingsBook *book)
{
        settings_done(&book->settings);
}

size_t settings_options(size_t offset, Option *ret)
{
        size_t count = 0;

        for (size_t i = 0; i < settings_n_rows; i++)
                if (settings_rows[i].origins & IN_COMMAND_LINE)
                        ret[count++] = (Option){
                                .name = settings_rows[i].key,
                                .type = OPTION_TEXT,
                                .argument = settings_rows[i].argument,
                                .help = settings_rows[i].help,
                                .offset = offset + offsetof(SettingsTexts, texts) +
                                          i * sizeof(const char *),
                        };
        return count;
}

int settings_begin(SettingsBook *ret, Error *ret_error)
{
        SettingsBook book = {
                .settings =
                        {
                                .cluster = text_copy("flocker"),
                                .swarm_image = text_copy("swarm:1.2.9"),
                                .node = -1,
                                .components =
                                        COMPONENT_FLOCKER | COMPONENT_DOCKER | COMPONENT_SWARM,
                                .timeout = 600 * USEC_PER_SEC,
                                .step_timeout = 120 * USEC_PER_SEC,
                                .docker_key = KEY_ECDSA_P256,
                        },
        };

        if (!book.settings.cluster || !book.settings.swarm_image ||
                digest_sha256("", 0, &book.settings.document_digest) < 0) {
                settings_book_done(&book);
                return error_set(ret_error, -ENOMEM, "cannot begin: %m");
        }
        *ret = book;
        return 0;
}

/* "flocker, docker, swarm" to flags; -EINVAL with the word that is none in *ret_unknown. */
static int to_components(char *const *names, unsigned *ret, const char **ret_unknown)
{
        unsigned found = 0;

        for (size_t i = 0; names[i]; i++) {
                unsigned bit = 0;

                for (size_t k = 0; component_names[k]; k++)
                        if (text_equal(names[i], component_names[k]))
                                bit = 1U << k;
                if (!bit) {
                        *ret_unknown = names[i];
                        return -EINVAL;
                }
                found |= bit;
        }
        *ret = found;
        return 0;
}

/* Moves what was read for one row into the book. */
static int take_row(SettingsBook *book,
        const SettingsRow *row,
        SettingsReading *from,
        SettingSource source,
        Error *ret_error)
{
        static const size_t sizes[] = {
                [FIELD_TEXT] = sizeof(char *),
                [FIELD_SECRET] = sizeof(Secret *),
                [FIELD_INT] = sizeof(int64_t),
                [FIELD_BOOL] = sizeof(bool),
                [FIELD_SPAN] = sizeof(Usec),
                [FIELD_CHOICE] = sizeof(int),
                [FIELD_NODE] = sizeof(YamlNode *),
        };
        char *to = (char *)&book->settings, *place = (char *)from + row->offset;
        const char *unknown;

        book->sources[row - settings_rows] = source;
        if (row->type == FIELD_TEXTS) {
                if (to_components(from->components, &book->settings.components, &unknown) == 0)
                        return 0;
                return error_set(ret_error,
                        -EDOM,
                        "cannot use components from the %s: '%s' is none; expected a list of "
                        "flocker, docker, swarm",
                        settings_source_names[source],
                        unknown);
        }
        if (row->offset == offsetof(SettingsReading, role)) {
                book->settings.role = from->role + 1;
                return 0;
        }

        to += row->offset - offsetof(SettingsReading, settings);
        if (row->type == FIELD_TEXT)
                free(*(char **)(void *)to);
        if (row->type == FIELD_SECRET)
                (void)secret_free(*(Secret **)(void *)to);
        memcpy(to, place, sizes[row->type]);
        memset(place, 0, sizes[row->type]);
        return 0;
}

static int split_list(const char *text, char ***ret)
{
        size_t count = 0;
        char **names = calloc(LIST_MAX, sizeof(*names));

        while (names && *text && count + 1 < LIST_MAX) {
                size_t length = strcspn(text, ", ");

                if (length > 0 && !(names[count++] = text_copy_part(text, length)))
                        break;
                text += length + strspn(text + length, ", ");
        }
        *ret = names;
        return names ? 0 : -ENOMEM;
}

static int choose(const char *const *choices, const char *text, int *ret)
{
        for (int i = 0; choices[i]; i++)
                if (text_equal(choices[i], text)) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

/* What a row's text has to be, for a sentence. */
static const char *describe(const SettingsRow *row, char *place, size_t size)
{
        char low[CLOCK_SPAN_MAX], high[CLOCK_SPAN_MAX];
        size_t used = 0;

        switch (row->type) {
        case FIELD_INT:
                (void)snprintf(place,
                        size,
                        "a whole number from %" PRId64 " to %" PRId64,
                        row->min,
                        row->max);
                break;
        case FIELD_SPAN:
                (void)snprintf(place,
                        size,
                        "a time from %s to %s, such as 90s or 10min",
                        clock_format_span((Usec)row->min, low),
                        clock_format_span((Usec)row->max, high));
                break;
        case FIELD_BOOL:
                (void)snprintf(place, size, "true or false");
                break;
        case FIELD_CHOICE:
                (void)snprintf(place, size, "one of");
                for (size_t i = 0; row->choices[i]; i++) {
                        used = strlen(place);
                        (void)snprintf(place + used,
                                size - used,
                                "%s %s",
                                i > 0 ? "," : "",
                                row->choices[i]);
                }
                break;
        case FIELD_TEXT:
        case FIELD_TEXTS:
        case FIELD_SECRET:
        case FIELD_NODE:
                (void)snprintf(place,
                        size,
                        "%" PRId64 " to %" PRId64 " bytes of text",
                        row->min,
                        row->max);
                break;
        }
        return place;
}

/* Reads a plain text, as tags and the command line have it. -EINVAL: it is not what the row is. */
static int read_text(const SettingsRow *row, const char *text, SettingsReading *reading)
{
        void *place = (char *)reading + row->offset;
        Usec span;

        switch (row->type) {
        case FIELD_TEXT:
                if (strlen(text) < (size_t)row->min || strlen(text) > (size_t)row->max)
                        return -EINVAL;
                *(char **)place = text_copy(text);
                return *(char **)place ? 0 : -ENOMEM;
        case FIELD_INT:
                return text_to_int64(text, row->min, row->max, place) < 0 ? -EINVAL : 0;
        case FIELD_SPAN:
                if (text_to_usec(text, &span) < 0 || span < (Usec)row->min || span > (Usec)row->max)
                        return -EINVAL;
                *(Usec *)place = span;
                return 0;
        case FIELD_BOOL:
                *(bool *)place = text_equal(text, "true");
                return *(bool *)place || text_equal(text, "false") ? 0 : -EINVAL;
        case FIELD_CHOICE:
                return choose(row->choices, text, place);
        case FIELD_TEXTS:
                return split_list(text, place);
        case FIELD_SECRET:
        case FIELD_NODE:
                break;
        }
        return -EINVAL; /* documents alone have these */
}

static int take_text(SettingsBook *book,
        const SettingsRow *row,
        const char *text,
        SettingSource source,
        Error *ret_error)
{
        _cleanup_(reading_done) SettingsReading reading = {.role = -1};
        char expected[256];
        int r;

        r = read_text(row, text, &reading);
        if (r == -EINVAL)
                return error_set(ret_error,
                        source == SETTING_COMMAND_LINE ? -EINVAL : -EDOM,
                        "cannot use '%s%s%s%.80s': expected %s",
                        source == SETTING_COMMAND_LINE ? "--" : "tag " TAG_PREFIX,
                        row->key,
                        "=",
                        text,
                        describe(row, expected, sizeof(expected)));
        if (r < 0)
                return error_set(ret_error, r, "cannot read '%s': %m", row->key);
        return take_row(book, row, &reading, source, ret_error);
}

int settings_read_texts(SettingsBook *book, const SettingsTexts *texts, Error *ret_error)
{
        for (size_t i = 0; i < settings_n_rows; i++) {
                int r;

                if (!texts->texts[i])
                        continue;
                r = take_text(
                        book, &settings_rows[i], texts->texts[i], SETTING_COMMAND_LINE, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int settings_read_tags(SettingsBook *book, Metadata *metadata, Usec deadline, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer names = BUFFER_INIT(METADATA_VALUE_MAX);
        char *line, *rest;
        int r;

        r = metadata_get(metadata, "meta-data/tags/instance", deadline, &names, ret_error);
        if (r == METADATA_ABSENT || names.size == 0)
                return 0; /* tags are not shown there, or there are none */
        if (r < 0)
                return r;

        rest = names.data;
        while ((line = strsep(&rest, "\n"))) {
                const SettingsRow *row = text_starts(line, TAG_PREFIX)
                                                 ? settings_row(line + strlen(TAG_PREFIX))
                                                 : NULL;
                _cleanup_(free) char *path = NULL, *value = NULL;

                if (!row || !(row->origins & IN_TAGS))
                        continue;
                path = text_format("meta-data/tags/instance/%s", line);
                if (!path)
                        return error_set(ret_error, -ENOMEM, "cannot read tags: %m");
                r = metadata_get_text(metadata, path, deadline, &value, ret_error);
                if (r == METADATA_OK)
                        r = take_text(book, row, value, SETTING_TAG, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The role in "#!/usr/bin/flocker-bootstrap --role=agent"; ROLE_NONE: the line names none. */
static int read_first_line(const char *name, const char *text, int *ret, Error *ret_error)
{
        static const char option[] = "--role=";
        const char *end = strchrnul(text, '\n');
        const char *found = memmem(text, (size_t)(end - text), option, strlen(option));
        size_t length;

        *ret = ROLE_NONE;
        if (!text_starts(text, "#!") || !found)
                return 0;
        found += strlen(option);
        length = strcspn(found, " \t\r\n");
        for (int i = 0; role_names[i]; i++)
                if (strlen(role_names[i]) == length && strncmp(found, role_names[i], length) == 0)
                        *ret = i + 1;
        if (*ret == ROLE_NONE)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': line 1: there is no role '%.*s'; expected control, "
                        "agent or client",
                        name,
                        TEXT_PART(found, length > 40 ? 40 : length));
        return 0;
}

static int read_mapping(SettingsBook *book,
        const YamlDocument *document,
        SettingsReading *reading,
        Error *ret_error)
{
        const YamlNode *root = yaml_root(document);
        Field fields[SETTINGS_MAX];
        size_t count = 0;
        int r;

        if (root->kind == YAML_NULL)
                return 0;
        for (size_t i = 0; i < settings_n_rows; i++)
                if (settings_rows[i].origins & IN_DOCUMENT)
                        fields[count++] = (Field){
                                .key = settings_rows[i].key,
                                .type = settings_rows[i].type,
                                .offset = settings_rows[i].offset,
                                .min = settings_rows[i].min,
                                .max = settings_rows[i].max,
                                .choices = settings_rows[i].choices,
                        };
        r = fields_read(document, root, fields, count, reading, ret_error);
        for (size_t i = 0; i < settings_n_rows && r == 0; i++) {
                const YamlNode *node = yaml_member(root, settings_rows[i].key);
                const char *unknown;
                unsigned ignored;

                if (!node)
                        continue;
                if (settings_rows[i].type == FIELD_TEXTS &&
                        to_components(reading->components, &ignored, &unknown) < 0)
                        return yaml_refuse(document,
                                node,
                                ret_error,
                                "%s: expected a list of flocker, docker, swarm, found '%.60s'",
                                settings_rows[i].key,
                                unknown);
                r = take_row(book, &settings_rows[i], reading, SETTING_DOCUMENT, ret_error);
        }
        return r;
}

static int check_document(const SettingsBook *book, const YamlDocument *document, Error *ret_error)
{
        const YamlNode *root = yaml_root(document), *role = yaml_member(root, "role");
        const YamlNode *dataset = book->settings.dataset;

        if (role && book->document_role != ROLE_NONE && book->settings.role != book->document_role)
                return yaml_refuse(document,
                        role,
                        ret_error,
                        "role: the first line says %s, this says %s",
                        role_kind_name((RoleKind)book->document_role),
                        role->text);
        if (dataset && dataset->kind != YAML_MAPPING)
                return yaml_refuse(
                        document, dataset, ret_error, "dataset: expected a mapping with a backend");
        return 0;
}

/* The handle first: whatever else is wrong with the document can then be signalled. */
static int take_handle(SettingsBook *book, const YamlDocument *document, Error *ret_error)
{
        const YamlNode *root = yaml_root(document);
        const YamlNode *node = root->kind == YAML_MAPPING ? yaml_member(root, "signal") : NULL;

        if (!node || node->kind != YAML_SCALAR || node->length == 0 || book->settings.signal)
                return 0;
        if (secret_new(node->text, node->length, &book->settings.signal) < 0)
                return error_set(ret_error, -ENOMEM, "cannot keep the handle: %m");
        return 0;
}

int settings_read_document(
        SettingsBook *book, const char *name, const char *text, size_t size, Error *ret_error)
{
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;
        _cleanup_(reading_done) SettingsReading reading = {.role = -1};
        Settings *settings = &book->settings;
        int r;

        r = yaml_parse(name, text, size, &document, ret_error);
        if (r == 0)
                r = take_handle(book, document, ret_error);
        if (r == 0)
                r = read_first_line(name, text, &book->document_role, ret_error);
        if (r == 0)
                r = digest_sha256(text, size, &settings->document_digest);
        if (r < 0)
                return r;

        if (book->document_role != ROLE_NONE) {
                settings->role = book->document_role;
                book->sources[settings_row("role") - settings_rows] = SETTING_DOCUMENT;
        }
        r = read_mapping(book, document, &reading, ret_error);
        if (r == 0)
                r = check_document(book, document, ret_error);
        if (r < 0) {
                settings->dataset = NULL;
                return r;
        }
        book->document_role = settings->role;
        free(settings->document_name);
        settings->document_name = text_copy(name);
        (void)yaml_document_free(settings->document);
        settings->document = TAKE_PTR(document);
        return settings->document_name
                       ? 0
                       : error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
}
