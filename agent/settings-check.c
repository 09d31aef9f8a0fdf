/* settings_check_role, settings_check, settings_dump: what was read, looked at as a whole. */

#include "agent/document.h"
#include "agent/settings-table.h"
#include "base/text.h"
#include "certs/certificate.h"
#include "s3/address.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int settings_check_role(const SettingsBook *book, RoleKind own, bool force, Error *ret_error)
{
        RoleKind role = (RoleKind)book->settings.role;

        if (own == ROLE_NONE || role == own || force)
                return 0;
        return error_set(ret_error,
                -EINVAL,
                "cannot become %s: this instance's own document says %s; --force-role does it all "
                "the same",
                role_kind_name(role),
                role_kind_name(own));
}

static const char *source_of(const SettingsBook *book, const char *key)
{
        return settings_source_names[book->sources[settings_row(key) - settings_rows]];
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
static int dump_value(const SettingsRow *row, const SettingsBook *book, Buffer *ret)
{
        const Settings *settings = &book->settings;
        const void *place =
                (const char *)settings + (row->offset - offsetof(SettingsReading, settings));

        if (row->offset == offsetof(SettingsReading, role))
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
        for (size_t i = 0; i < settings_n_rows; i++) {
                _cleanup_(buffer_done) Buffer value = BUFFER_INIT(DOCUMENT_SIZE_MAX);
                int r = dump_value(&settings_rows[i], book, &value);

                if (r == 0)
                        r = buffer_append_format(ret,
                                "%s: %-*s # %s\n",
                                settings_rows[i].key,
                                (int)(48 - strlen(settings_rows[i].key)),
                                buffer_text(&value),
                                settings_source_names[book->sources[i]]);
                if (r < 0)
                        return error_set(ret_error, r, "cannot show the settings: %m");
        }
        return 0;
}
