#include "agent/settings.h"

#include "agent/document.h"
#include "base/fields.h"
#include "base/text.h"
#include "certs/certificate.h"
#include "s3/address.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MIN      ((int64_t)(10 * USEC_PER_SEC))
#define TIMEOUT_MAX      ((int64_t)(43200 * USEC_PER_SEC)) /* of a WaitCondition */
#define STEP_TIMEOUT_MIN ((int64_t)USEC_PER_SEC)
#define TAG_PREFIX       "flocker:"
#define LIST_MAX         512U

/* What a source has said, before it is put into the Settings. */
typedef struct Reading {
        Settings settings;
        char **components; /* NULL: nothing */
        int role;          /* of role_names; -1: nothing */
} Reading;

typedef enum Origin {
        IN_DOCUMENT = 1U << 0,
        IN_TAGS = 1U << 1,
        IN_COMMAND_LINE = 1U << 2,
        EVERYWHERE = IN_DOCUMENT | IN_TAGS | IN_COMMAND_LINE,
} Origin;

typedef struct Row {
        const char *key;
        FieldType type;
        unsigned origins; /* of Origin */
        size_t offset;    /* in Reading */
        const char *argument;
        const char *help;
        int64_t min, max;
        const char *const *choices;
} Row;

#define AT(member) offsetof(Reading, settings.member)

static const Row rows[] = {
        {"role",
                FIELD_CHOICE,
                EVERYWHERE,
                offsetof(Reading, role),
                "ROLE",
                "what this machine becomes: control, agent or client",
                .choices = role_names},
        {"cluster", FIELD_TEXT, EVERYWHERE, AT(cluster), "NAME", "the cluster's name", 1, 64},
        {"store",
                FIELD_TEXT,
                EVERYWHERE,
                AT(store),
                "URL",
                "the store: s3://bucket/prefix",
                6,
                1100},
        {"node",
                FIELD_INT,
                EVERYWHERE,
                AT(node),
                "N",
                "this node's number: control 0, agents from 1",
                0,
                SETTINGS_AGENTS_MAX},
        {"agents",
                FIELD_INT,
                EVERYWHERE,
                AT(agents),
                "N",
                "how many agents the cluster has",
                0,
                SETTINGS_AGENTS_MAX},
        {"components",
                FIELD_TEXTS,
                EVERYWHERE,
                offsetof(Reading, components),
                "LIST",
                "of flocker, docker, swarm (all)"},
        {"swarm",
                FIELD_CHOICE,
                EVERYWHERE,
                AT(swarm),
                "MODE",
                "auto (the default), builtin, classic or none",
                .choices = swarm_names},
        {"swarm-image",
                FIELD_TEXT,
                EVERYWHERE,
                AT(swarm_image),
                "IMAGE",
                "classic: the manager's image (swarm:1.2.9)",
                1,
                256},
        {"signal", FIELD_SECRET, IN_DOCUMENT, AT(signal), NULL, NULL},
        {"timeout",
                FIELD_SPAN,
                EVERYWHERE,
                AT(timeout),
                "SPAN",
                "of the wait condition (600s)",
                TIMEOUT_MIN,
                TIMEOUT_MAX},
        {"step-timeout",
                FIELD_SPAN,
                EVERYWHERE,
                AT(step_timeout),
                "SPAN",
                "of a step that waits for no other machine (120s)",
                STEP_TIMEOUT_MIN,
                TIMEOUT_MAX},
        {"keep-secrets",
                FIELD_BOOL,
                EVERYWHERE,
                AT(keep_secrets),
                "BOOL",
                "the client leaves private material in the store"},
        {"docker-key",
                FIELD_CHOICE,
                EVERYWHERE,
                AT(docker_key),
                "KIND",
                "ecdsa-p256 (the default) or rsa-4096",
                .choices = key_kind_names},
        {"login-user",
                FIELD_TEXT,
                EVERYWHERE,
                AT(login_user),
                "NAME",
                "whom the client's machine is for (the user of uid 1000)",
                1,
                32},
        {"dataset", FIELD_NODE, IN_DOCUMENT, AT(dataset), NULL, NULL},
        {"dataset-secret",
                FIELD_TEXT,
                EVERYWHERE,
                AT(dataset_secret),
                "ARN",
                "the Secrets Manager secret of the dataset's access keys",
                1,
                2048},
        {"keys",
                FIELD_TEXT,
                IN_COMMAND_LINE,
                AT(keys),
                "DIR",
                "use the private keys in this folder before making any",
                1,
                4096},
};
_Static_assert(ELEMENTS(rows) <= SETTINGS_MAX, "SETTINGS_MAX is too small");

static const char *const source_names[] = {"default", "tag", "document", "command line"};

static void reading_done(Reading *reading)
{
        settings_done(&reading->settings);
        for (char **name = reading->components; name && *name; name++)
                free(*name);
        free(reading->components);
}
DEFINE_CLEANUP_IN_PLACE(Reading, reading_done);

void settings_book_done(SettingsBook *book)
{
        settings_done(&book->settings);
}

size_t settings_options(size_t offset, Option *ret)
{
        size_t count = 0;

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (rows[i].origins & IN_COMMAND_LINE)
                        ret[count++] = (Option){
                                .name = rows[i].key,
                                .type = OPTION_TEXT,
                                .argument = rows[i].argument,
                                .help = rows[i].help,
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

static const Row *find_row(const char *key)
{
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (text_equal(rows[i].key, key))
                        return &rows[i];
        return NULL;
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
static int take_row(
        SettingsBook *book, const Row *row, Reading *from, SettingSource source, Error *ret_error)
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

        book->sources[row - rows] = source;
        if (row->type == FIELD_TEXTS) {
                if (to_components(from->components, &book->settings.components, &unknown) == 0)
                        return 0;
                return error_set(ret_error,
                        -EDOM,
                        "cannot use components from the %s: '%s' is none; expected a list of "
                        "flocker, docker, swarm",
                        source_names[source],
                        unknown);
        }
        if (row->offset == offsetof(Reading, role)) {
                book->settings.role = from->role + 1;
                return 0;
        }

        to += row->offset - offsetof(Reading, settings);
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
static const char *describe(const Row *row, char *place, size_t size)
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
static int read_text(const Row *row, const char *text, Reading *reading)
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
        const Row *row,
        const char *text,
        SettingSource source,
        Error *ret_error)
{
        _cleanup_(reading_done) Reading reading = {.role = -1};
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
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int r;

                if (!texts->texts[i])
                        continue;
                r = take_text(book, &rows[i], texts->texts[i], SETTING_COMMAND_LINE, ret_error);
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
                const Row *row =
                        text_starts(line, TAG_PREFIX) ? find_row(line + strlen(TAG_PREFIX)) : NULL;
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

static int read_mapping(
        SettingsBook *book, const YamlDocument *document, Reading *reading, Error *ret_error)
{
        const YamlNode *root = yaml_root(document);
        Field fields[ELEMENTS(rows)];
        size_t count = 0;
        int r;

        if (root->kind == YAML_NULL)
                return 0;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (rows[i].origins & IN_DOCUMENT)
                        fields[count++] = (Field){
                                .key = rows[i].key,
                                .type = rows[i].type,
                                .offset = rows[i].offset,
                                .min = rows[i].min,
                                .max = rows[i].max,
                                .choices = rows[i].choices,
                        };
        r = fields_read(document, root, fields, count, reading, ret_error);
        for (size_t i = 0; i < ELEMENTS(rows) && r == 0; i++) {
                const YamlNode *node = yaml_member(root, rows[i].key);
                const char *unknown;
                unsigned ignored;

                if (!node)
                        continue;
                if (rows[i].type == FIELD_TEXTS &&
                        to_components(reading->components, &ignored, &unknown) < 0)
                        return yaml_refuse(document,
                                node,
                                ret_error,
                                "%s: expected a list of flocker, docker, swarm, found '%.60s'",
                                rows[i].key,
                                unknown);
                r = take_row(book, &rows[i], reading, SETTING_DOCUMENT, ret_error);
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

int settings_read_document(
        SettingsBook *book, const char *name, const char *text, size_t size, Error *ret_error)
{
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;
        _cleanup_(reading_done) Reading reading = {.role = -1};
        Settings *settings = &book->settings;
        int r;

        r = yaml_parse(name, text, size, &document, ret_error);
        if (r == 0)
                r = read_first_line(name, text, &book->document_role, ret_error);
        if (r == 0)
                r = digest_sha256(text, size, &settings->document_digest);
        if (r < 0)
                return r;

        if (book->document_role != ROLE_NONE) {
                settings->role = book->document_role;
                book->sources[find_row("role") - rows] = SETTING_DOCUMENT;
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

int settings_check_role(const SettingsBook *book, RoleKind own, bool force, Error *ret_error)
{
        RoleKind role = (RoleKind)book->settings.role;

        if (own == ROLE_NONE || role == own || force)
                return 0;
        return error_set(ret_error,
                -EDOM,
                "cannot become %s: this instance's own document says %s; --force-role does it all "
                "the same",
                role_kind_name(role),
                role_kind_name(own));
}

static const char *source_of(const SettingsBook *book, const char *key)
{
        return source_names[book->sources[find_row(key) - rows]];
}

static int refuse_missing(const char *key, const char *meaning, Error *ret_error)
{
        return error_set(ret_error,
                -EDOM,
                "cannot begin without '%s' (%s): give --%s=…, or put it into the document",
                key,
                meaning,
                key);
}

static int check_node(const SettingsBook *book, Error *ret_error)
{
        const Settings *settings = &book->settings;

        if (settings->role == ROLE_AGENT && settings->node < 0)
                return refuse_missing("node", "this agent's number, from 1", ret_error);
        if (settings->role == ROLE_AGENT &&
                (settings->node < 1 || (settings->agents > 0 && settings->node > settings->agents)))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use node %" PRId64 " (from the %s): agents count from 1 to "
                        "%" PRId64,
                        settings->node,
                        source_of(book, "node"),
                        settings->agents > 0 ? settings->agents : SETTINGS_AGENTS_MAX);
        if (settings->role == ROLE_CONTROL && settings->node > 0)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use node %" PRId64 " (from the %s): control is node 0",
                        settings->node,
                        source_of(book, "node"));
        if (settings->role == ROLE_CLIENT && settings->node >= 0)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use node %" PRId64 " (from the %s): a client has no number",
                        settings->node,
                        source_of(book, "node"));
        return 0;
}

static int check_components(const SettingsBook *book, Error *ret_error)
{
        const Settings *settings = &book->settings;
        bool swarm = settings_have(settings, COMPONENT_SWARM);

        if (settings->components == 0)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the components of the %s: there is none",
                        source_of(book, "components"));
        if (swarm && !settings_have(settings, COMPONENT_DOCKER))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use the components of the %s: swarm needs docker",
                        source_of(book, "components"));
        if (!swarm && (settings->swarm == SWARM_BUILTIN || settings->swarm == SWARM_CLASSIC))
                return error_set(ret_error,
                        -EDOM,
                        "cannot use swarm mode %s (from the %s): swarm is not among the "
                        "components (from the %s)",
                        swarm_names[settings->swarm],
                        source_of(book, "swarm"),
                        source_of(book, "components"));
        return 0;
}

int settings_check(const SettingsBook *book, Error *ret_error)
{
        const Settings *settings = &book->settings;
        _cleanup_(free) char *bucket = NULL, *prefix = NULL;
        int r;

        if (settings->role == ROLE_NONE)
                return refuse_missing("role", "control, agent or client", ret_error);
        if (text_is_empty(settings->store))
                return refuse_missing("store", "s3://bucket/prefix", ret_error);
        r = s3_store_url_parse(settings->store, &bucket, &prefix, ret_error);
        if (r == 0 && certificate_check_subject(settings->cluster, ret_error) < 0)
                r = error_prefix(ret_error, -EDOM, "cannot use the cluster's name");
        if (r == 0)
                r = check_node(book, ret_error);
        return r == 0 ? check_components(book, ret_error) : r;
}

static int dump_components(const Settings *settings, Buffer *ret)
{
        const char *comma = "";
        int r = buffer_append_text(ret, "[");

        for (size_t i = 0; component_names[i] && r == 0; i++)
                if (settings->components & (1U << i)) {
                        r = buffer_append_format(ret, "%s%s", comma, component_names[i]);
                        comma = ", ";
                }
        return r == 0 ? buffer_append_text(ret, "]") : r;
}

/* The value of a row, as YAML would have it. */
static int dump_value(const Row *row, const SettingsBook *book, Buffer *ret)
{
        const Settings *settings = &book->settings;
        const void *place = (const char *)settings + (row->offset - offsetof(Reading, settings));

        if (row->offset == offsetof(Reading, role))
                return buffer_append_text(ret, role_kind_name((RoleKind)settings->role));
        switch (row->type) {
        case FIELD_TEXT:
                return *(char *const *)place ? yaml_append_quoted(ret, *(char *const *)place)
                                             : buffer_append_text(ret, "~");
        case FIELD_SECRET:
                return buffer_append_text(ret, secret_display(*(Secret *const *)place));
        case FIELD_INT:
                return *(const int64_t *)place < 0
                               ? buffer_append_text(ret, "~")
                               : buffer_append_format(ret, "%" PRId64, *(const int64_t *)place);
        case FIELD_SPAN:
                return buffer_append_format(
                        ret, "%" PRIu64 "s", *(const Usec *)place / USEC_PER_SEC);
        case FIELD_BOOL:
                return buffer_append_text(ret, *(const bool *)place ? "true" : "false");
        case FIELD_CHOICE:
                return buffer_append_text(ret, row->choices[*(const int *)place]);
        case FIELD_TEXTS:
                return dump_components(settings, ret);
        case FIELD_NODE:
                return buffer_append_text(ret, settings->dataset ? "[redacted]" : "~");
        }
        return -EINVAL;
}

int settings_dump(const SettingsBook *book, Buffer *ret, Error *ret_error)
{
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(buffer_done) Buffer value = BUFFER_INIT(DOCUMENT_SIZE_MAX);
                int r = dump_value(&rows[i], book, &value);

                if (r == 0)
                        r = buffer_append_format(ret,
                                "%s: %-*s # %s\n",
                                rows[i].key,
                                (int)(48 - strlen(rows[i].key)),
                                buffer_text(&value),
                                source_names[book->sources[i]]);
                if (r < 0)
                        return error_set(ret_error, r, "cannot show the settings: %m");
        }
        return 0;
}
