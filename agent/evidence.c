#include "agent/evidence.h"

#include "agent/redact.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "certs/certificate.h"
#include "host/journal.h"
#include "host/systemd.h"
#include "roles/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define FILE_MAX_BYTES (64U * 1024U)
#define UNIT_LINES     20U
#define JOURNAL_TAIL   (32U * 1024U)

/* Paths are put together of two texts. NOLINTBEGIN(bugprone-suspicious-missing-comma) */
static const char *const units[] = {
        "docker.service",
        "docker.socket",
        "containerd.service",
        "flocker-control.service",
        "flocker-dataset-agent.service",
        "flocker-docker-plugin.service",
        "flocker-container-agent.service",
        "cloud-final.service",
};

static const char *const certificates[] = {
        PATH_DOCKER_TLS "/ca.pem",
        PATH_DOCKER_TLS "/cert.pem",
        PATH_CLIENT_TLS "/cert.pem",
        PATH_DOCKER_CA "/ca.pem",
        PATH_FLOCKER "/cluster.crt",
        PATH_FLOCKER "/control-service.crt",
        PATH_FLOCKER "/node.crt",
        PATH_FLOCKER "/plugin.crt",
};

static const char *const files[] = {
        PATH_DAEMON_JSON,
        PATH_DROP_IN,
        PATH_INSTANCE,
        "etc/os-release",
        "etc/resolv.conf",
        "proc/meminfo",
};
/* NOLINTEND(bugprone-suspicious-missing-comma) */

static int add_machine(const EvidenceOptions *options, Json *json)
{
        const MetadataIdentity *identity = options->identity;
        const Settings *settings = options->settings;
        Json *machine = json_new_object();
        int r = json_set(json, "machine", machine);

        if (r == 0)
                r = json_set_text(machine, "role", role_kind_name((RoleKind)settings->role));
        if (r == 0)
                r = json_set_int64(machine, "node", settings->node);
        if (r == 0)
                r = json_set_text(machine, "cluster", settings->cluster);
        if (r == 0 && identity)
                r = json_set_text(machine, "instance", identity->instance_id);
        if (r == 0 && identity)
                r = json_set_text(machine, "image", identity->image_id);
        if (r == 0 && identity)
                r = json_set_text(machine, "type", identity->instance_type);
        return r;
}

static int add_versions(Json *json)
{
        struct utsname host = {};
        Json *versions = json_new_object();
        int r = json_set(json, "versions", versions);

        (void)uname(&host);
        if (r == 0)
                r = json_set_text(versions, "flocker-bootstrap", VERSION);
        return r == 0 ? json_set_text(versions, "kernel", host.release) : r;
}

/* The last lines of the journal of steps. */
static int add_journal(const EvidenceOptions *options, Json *json)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(16 * 1024 * 1024);
        Json *lines = json_new_array();
        char *rest, *line;
        int r = json_set(json, "journal", lines);

        if (r < 0 || file_read(options->root_fd, PATH_JOURNAL, 16 * 1024 * 1024, &text, NULL) < 0)
                return r;
        rest = text.data;
        if (text.size > JOURNAL_TAIL) {
                rest = strchr(text.data + text.size - JOURNAL_TAIL, '\n');
                rest = rest ? rest + 1 : text.data;
        }
        while (r == 0 && rest && (line = strsep(&rest, "\n"))) {
                text_mend_utf8(line);
                if (*line)
                        r = json_append(lines, json_new_text(line));
        }
        return r;
}

static int add_unit(const EvidenceOptions *options, Systemd *systemd, const char *name, Json *list)
{
        _cleanup_(buffer_done) Buffer lines = BUFFER_INIT(FILE_MAX_BYTES);
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        _cleanup_(free) char *state = NULL;
        Json *json;
        int r;

        if (systemd_get_unit(systemd, name, options->deadline, &unit, NULL) < 0 ||
                text_equal(unit.load_state, "not-found"))
                return 0;
        json = json_new_object();
        r = json_append(list, json);
        state = text_format("%s, %s (%s), %s",
                unit.load_state,
                unit.active_state,
                unit.sub_state,
                unit.file_state);
        if (r == 0)
                r = json_set_text(json, "name", name);
        if (r == 0)
                r = json_set(json, "state", json_new_text(state));
        if (r == 0)
                r = json_set_text(json, "result", unit.result);
        if (r == 0)
                r = json_set_int64(json, "status", unit.exec_status);
        (void)journal_read_unit(options->root, name, UNIT_LINES, options->deadline, &lines, NULL);
        if (lines.data)
                text_mend_utf8(lines.data);
        return r == 0 ? json_set_text(json, "lines", buffer_text(&lines)) : r;
}

static int add_units(const EvidenceOptions *options, Json *json)
{
        SystemdOptions of_systemd = {
                .root = options->root, .clock = &clock_system, .deadline = options->deadline};
        _cleanup_(systemd_free) Systemd *systemd = NULL;
        Error error = ERROR_INIT;
        Json *list = json_new_array();
        int r = json_set(json, "units", list);

        if (r < 0)
                return r;
        if (systemd_open(&of_systemd, &systemd, &error) < 0)
                return json_append(list, json_new_text(error.text));
        for (size_t i = 0; i < ELEMENTS(units) && r == 0; i++)
                r = add_unit(options, systemd, units[i], list);
        return r;
}

static int add_certificate(const EvidenceOptions *options, const char *path, Json *list)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        _cleanup_(certificate_free) Certificate *certificate = NULL;
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        char until[CLOCK_UTC_MAX];
        Json *json, *names;
        int r;

        if (file_read(options->root_fd, path, CERTIFICATE_PEM_MAX, &text, NULL) < 0 ||
                certificate_parse(path, buffer_text(&text), text.size, &certificate, NULL) < 0 ||
                certificate_examine(certificate, &info, NULL) < 0)
                return 0;
        json = json_new_object();
        names = json_new_array();
        clock_format_utc(info.not_after, until);
        r = json_append(list, json);
        if (r == 0)
                r = json_set_text(json, "path", path);
        if (r == 0)
                r = json_set_text(json, "subject", info.subject);
        if (r == 0)
                r = json_set_text(json, "issuer", info.issuer);
        if (r == 0)
                r = json_set_text(json, "until", until);
        if (r == 0)
                r = json_set_text(json, "fingerprint", info.fingerprint);
        if (r == 0)
                r = json_set(json, "names", names);
        for (size_t i = 0; info.names[i] && r == 0; i++)
                r = json_append(names, json_new_text(info.names[i]));
        return r;
}

static int add_certificates(const EvidenceOptions *options, Json *json)
{
        Json *list = json_new_array();
        int r = json_set(json, "certificates", list);

        for (size_t i = 0; i < ELEMENTS(certificates) && r == 0; i++)
                r = add_certificate(options, certificates[i], list);
        return r;
}

static int add_files(const EvidenceOptions *options, Json *json)
{
        Json *object = json_new_object();
        int r = json_set(json, "files", object);

        for (size_t i = 0; i < ELEMENTS(files) && r == 0; i++) {
                _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX_BYTES);

                if (file_read(options->root_fd, files[i], FILE_MAX_BYTES, &text, NULL) < 0)
                        continue;
                if (text.data)
                        text_mend_utf8(text.data);
                r = json_set_text(object, files[i], buffer_text(&text));
        }
        return r;
}

int evidence_collect(const EvidenceOptions *options, Buffer *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer plain = BUFFER_INIT(EVIDENCE_MAX);
        _cleanup_(json_free) Json *json = json_new_object();
        const Secret *secrets[] = {options->settings->signal, NULL};
        char time[CLOCK_UTC_MAX];
        int r;

        clock_format_utc(clock_wall(&clock_system), time);
        r = json_set_int64(json, "version", 1);
        if (r == 0)
                r = json_set_text(json, "reason", options->reason);
        if (r == 0)
                r = json_set_text(json, "time", time);
        if (r == 0)
                r = add_machine(options, json);
        if (r == 0)
                r = add_versions(json);
        if (r == 0)
                r = add_journal(options, json);
        if (r == 0)
                r = add_certificates(options, json);
        if (r == 0)
                r = add_files(options, json);
        if (r == 0)
                r = add_units(options, json);
        if (r == 0)
                r = json_format(json, JSON_INDENTED, &plain);
        if (r == 0)
                r = redact_text(buffer_text(&plain), secrets, ret);
        return r < 0 ? error_set(ret_error, r, "cannot collect evidence: %m") : 0;
}
