#include "host/systemd.h"

#include "base/buffer.h"
#include "base/text.h"
#include "host/job-queue.h"
#include "host/unit-words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SERVICE    "org.freedesktop.systemd1"
#define MANAGER    "/org/freedesktop/systemd1"
#define INTERFACE  SERVICE ".Manager"
#define UNIT       SERVICE ".Unit"
#define SOCKET     "run/dbus/system_bus_socket"
#define JOB_PATH   128U
#define RESULT_MAX 32U

DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref);
DEFINE_CLEANUP_IN_PLACE(sd_bus_error, sd_bus_error_free);

struct Systemd {
        sd_bus *bus;
        sd_bus_slot *slot; /* of the match for JobRemoved */
        char *root;
        const Clock *clock;
        char own_unit[SYSTEMD_UNIT_NAME_MAX]; /* what this process runs as; "": none */
        char job[JOB_PATH];                   /* the one that is waited for */
        char result[RESULT_MAX];              /* "": it has not ended */
};

/* What is asked of systemd, for sentences: "restart 'docker.service'". */
typedef struct Request {
        Systemd *systemd;
        const char *verb;
        const char *unit; /* NULL: none */
        Usec deadline;
        Error *ret_error;
} Request;

static int refuse(const Request *request, int code, const char *why)
{
        return request->unit
                       ? error_set(request->ret_error,
                                 code,
                                 "cannot %s '%s': %s",
                                 request->verb,
                                 request->unit,
                                 why)
                       : error_set(request->ret_error, code, "cannot %s: %s", request->verb, why);
}

/* A D-Bus error, by name. What is refused may be a unit that the asked one requires. */
static int refuse_reply(const Request *request, int r, const sd_bus_error *error)
{
        bool absent = sd_bus_error_has_name(error, SERVICE ".NoSuchUnit") ||
                      sd_bus_error_has_name(error, SERVICE ".LoadFailed") ||
                      sd_bus_error_has_name(error, "org.freedesktop.DBus.Error.FileNotFound");
        bool masked = sd_bus_error_has_name(error, SERVICE ".UnitMasked");

        if ((absent || masked) && error->message && request->unit &&
                !strstr(error->message, request->unit))
                return error_set(request->ret_error,
                        -ENOENT,
                        "cannot %s '%s': what it requires is not there: %s",
                        request->verb,
                        request->unit,
                        error->message);
        if (absent)
                return refuse(
                        request, -ENOENT, "there is no such unit (is its package installed?)");
        if (masked)
                return refuse(request, -ENOENT, "it is masked (systemctl unmask)");
        if (r == -ETIMEDOUT)
                return refuse(request, r, "systemd did not answer in time");
        return refuse(request, r, error->message ? error->message : strerrordesc_np(-r));
}

/* A rehearsal's stands for cloud-init's last stage. */
static void find_own_unit(Systemd *systemd)
{
        if (text_equal(systemd->root, "/"))
                systemd_own_unit(systemd->own_unit);
        else
                (void)text_put(systemd->own_unit, sizeof(systemd->own_unit), "cloud-final.service");
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
        Systemd *systemd = userdata;
        const char *path, *result;
        uint32_t id;

        (void)ret_error;
        if (sd_bus_message_read(message, "uoss", &id, &path, NULL, &result) >= 0 &&
                text_equal(path, systemd->job))
                (void)text_put(systemd->result, sizeof(systemd->result), result);
        return 0;
}

/* What is asked from now on is answered by the deadline; libsystemd's own is 25 s for each. */
static int set_deadline(Systemd *systemd, Usec deadline)
{
        Usec left = clock_left(systemd->clock, deadline);

        return left > 0 ? sd_bus_set_method_call_timeout(systemd->bus, left) : -ETIMEDOUT;
}

/* The bus's own greeting has no deadline that could be set (libsystemd waits 90 s). */
static int greet(Systemd *systemd, Usec deadline)
{
        int r;

        while ((r = sd_bus_is_ready(systemd->bus)) == 0) {
                Usec left = clock_left(systemd->clock, deadline);

                r = sd_bus_process(systemd->bus, NULL);
                if (r == 0 && left == 0)
                        r = -ETIMEDOUT;
                if (r == 0)
                        r = sd_bus_wait(systemd->bus, left);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        if (r >= 0)
                r = set_deadline(systemd, deadline);
        if (r >= 0)
                r = sd_bus_match_signal(systemd->bus,
                        &systemd->slot,
                        SERVICE,
                        MANAGER,
                        INTERFACE,
                        "JobRemoved",
                        on_job_removed,
                        systemd);
        if (r >= 0)
                r = sd_bus_call_method(
                        systemd->bus, SERVICE, MANAGER, INTERFACE, "Subscribe", NULL, NULL, NULL);
        return r < 0 ? r : 0;
}

/* A socket's path may be longer than sockaddr_un has room for: by way of its folder's descriptor.
 */
static int connect_bus(Systemd *systemd, const char *address, Usec deadline)
{
        _cleanup_(free) char *folder = NULL, *made = NULL;
        _cleanup_(close) int fd = -1;
        int r;

        if (!address) {
                folder = text_format(
                        "%s%srun/dbus", systemd->root, text_ends(systemd->root, "/") ? "" : "/");
                fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
                if (fd < 0)
                        return -errno;
                made = text_format("unix:path=/proc/self/fd/%d/system_bus_socket", fd);
                address = made;
        }
        r = address ? sd_bus_new(&systemd->bus) : -ENOMEM;
        if (r >= 0)
                r = sd_bus_set_address(systemd->bus, address);
        if (r >= 0)
                r = sd_bus_set_bus_client(systemd->bus, true);
        if (r >= 0)
                r = sd_bus_start(systemd->bus);
        return r < 0 ? r : greet(systemd, deadline);
}

int systemd_open(const SystemdOptions *options, Systemd **ret, Error *ret_error)
{
        _cleanup_(systemd_free) Systemd *systemd = calloc(1, sizeof(*systemd));
        int r = -ENOMEM;

        if (systemd)
                systemd->root = text_copy(options->root);
        if (systemd && systemd->root) {
                systemd->clock = options->clock;
                find_own_unit(systemd);
                r = connect_bus(systemd, options->address, options->deadline);
        }
        if (r < 0)
                return error_set(ret_error,
                        r,
                        "cannot reach systemd at '%s': %m",
                        options->address ? options->address : "/" SOCKET);
        *ret = TAKE_PTR(systemd);
        return 0;
}

Systemd *systemd_free(Systemd *systemd)
{
        if (!systemd)
                return NULL;
        (void)sd_bus_slot_unref(systemd->slot);
        (void)sd_bus_close_unref(
                systemd->bus); /* nothing is left to flush: all calls were awaited */
        free(systemd->root);
        free(systemd);
        return NULL;
}

/* --- calls --- */

static int new_call(const Request *request, const char *method, sd_bus_message **ret)
{
        int r = sd_bus_message_new_method_call(
                request->systemd->bus, ret, SERVICE, MANAGER, INTERFACE, method);

        return r < 0 ? refuse(request, r, strerrordesc_np(-r)) : 0;
}

static int send_call(const Request *request, sd_bus_message *call, sd_bus_message **ret)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = set_deadline(request->systemd, request->deadline);

        if (r == -ETIMEDOUT)
                return refuse(request, r, "its deadline has passed");
        if (r >= 0)
                r = sd_bus_call(request->systemd->bus, call, 0, &error, ret);
        return r < 0 ? refuse_reply(request, r, &error) : 0;
}

/* The object of a unit, loaded if need be. */
static int get_object(const Request *request, char **ret)
{
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        const char *path;
        int r = new_call(request, "LoadUnit", &call);

        if (r == 0)
                r = sd_bus_message_append(call, "s", request->unit);
        if (r >= 0)
                r = send_call(request, call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "o", &path);
        *ret = r < 0 ? NULL : text_copy(path);
        return *ret ? 0 : refuse(request, r < 0 ? r : -ENOMEM, "systemd's answer cannot be read");
}

/* A property of a unit's object; *ret stands within the variant. */
static int get_property(const Request *request,
        const char *object,
        const char *interface,
        const char *name,
        const char *type,
        sd_bus_message **ret)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = set_deadline(request->systemd, request->deadline);

        if (r >= 0)
                r = sd_bus_get_property(
                        request->systemd->bus, SERVICE, object, interface, name, &error, ret, type);
        return r < 0 ? refuse_reply(request, r, &error) : 0;
}

void systemd_unit_done(SystemdUnit *unit)
{
        free(unit->load_state);
        free(unit->active_state);
        free(unit->sub_state);
        free(unit->file_state);
        free(unit->result);
        *unit = (SystemdUnit){};
}

/* A property of a unit's object, and where its value goes. */
typedef struct Property {
        const char *name;
        char type; /* 's': a heap string; 'b', 'i', 'u': an int */
        void *ret;
} Property;

static int read_value(sd_bus_message *reply, const Property *property)
{
        const char type[] = {property->type, '\0'};
        char **ret = property->ret;
        const char *text;
        int r;

        if (property->type != 's')
                return sd_bus_message_read(reply, "v", type, property->ret);
        r = sd_bus_message_read(reply, "v", type, &text);
        if (r < 0)
                return r;
        free(*ret);
        *ret = text_copy(text);
        return *ret ? 0 : -ENOMEM;
}

/* The next of a{sv}; what was not asked for is passed over. 0: there is none any more. */
static int read_property(sd_bus_message *reply, const Property *properties, size_t count)
{
        const Property *found = NULL;
        const char *name;
        int r = sd_bus_message_enter_container(reply, 'e', "sv");

        if (r <= 0)
                return r;
        r = sd_bus_message_read(reply, "s", &name);
        for (size_t i = 0; i < count && r >= 0 && !found; i++)
                found = text_equal(properties[i].name, name) ? &properties[i] : NULL;
        if (r >= 0)
                r = found ? read_value(reply, found) : sd_bus_message_skip(reply, "v");
        return r < 0 ? r : sd_bus_message_exit_container(reply);
}

/* All properties at once, of whatever kind the unit is: one question costs less than two. */
static int get_properties(
        const Request *request, const char *object, const Property *properties, size_t count)
{
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        int r = sd_bus_message_new_method_call(request->systemd->bus,
                &call,
                SERVICE,
                object,
                "org.freedesktop.DBus.Properties",
                "GetAll");

        if (r >= 0)
                r = sd_bus_message_append(call, "s", "");
        if (r < 0)
                return refuse(request, r, strerrordesc_np(-r));
        r = send_call(request, call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r > 0)
                r = read_property(reply, properties, count);
        return r < 0 ? refuse(request, r, "systemd's answer cannot be read") : 0;
}

int systemd_get_unit(
        Systemd *systemd, const char *unit, Usec deadline, SystemdUnit *ret, Error *ret_error)
{
        Request request = {systemd, "look at", unit, deadline, ret_error};
        _cleanup_(systemd_unit_done) SystemdUnit found = {};
        _cleanup_(free) char *object = NULL;
        int reload = 0, r;
        const Property properties[] = {
                {"LoadState", 's', &found.load_state},
                {"ActiveState", 's', &found.active_state},
                {"SubState", 's', &found.sub_state},
                {"UnitFileState", 's', &found.file_state},
                {"Result", 's', &found.result},
                {"ExecMainStatus", 'i', &found.exec_status},
                {"MainPID", 'u', &found.main_pid},
                {"NeedDaemonReload", 'b', &reload},
        };

        r = get_object(&request, &object);
        if (r == 0)
                r = get_properties(&request, object, properties, ELEMENTS(properties));
        if (r == 0 && !found.result) /* a target has none */
                found.result = text_copy("");
        if (r == 0 && !(found.load_state && found.active_state && found.sub_state &&
                              found.file_state && found.result))
                r = refuse(&request, -EBADMSG, "systemd does not tell its state");
        if (r < 0)
                return r;
        found.needs_reload = reload != 0;
        *ret = TAKE_STRUCT(found);
        return 0;
}

void systemd_exec_start_done(char ***arguments)
{
        for (char **argument = *arguments; argument && *argument; argument++)
                free(*argument);
        free(*arguments);
        *arguments = NULL;
}

/* (sasbttttuii): path, argv, and the last run's figures. */
static int read_exec_start(const Request *request, sd_bus_message *reply, char ***ret)
{
        _cleanup_(systemd_exec_start_done) char **arguments =
                calloc(SYSTEMD_ARGUMENTS_MAX + 1, sizeof(*arguments));
        const char *path, *argument;
        size_t count = 0;
        int r = arguments ? sd_bus_message_enter_container(reply, 'a', "(sasbttttuii)") : -ENOMEM;

        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'r', "sasbttttuii");
        if (r == 0)
                return refuse(request, -ENOENT, "it has no ExecStart= (is it installed?)");
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(reply, "s", &argument)) > 0) {
                if (count >= SYSTEMD_ARGUMENTS_MAX)
                        return refuse(request, -EFBIG, "its ExecStart= is too long");
                arguments[count] = text_copy(count == 0 ? path : argument);
                if (!arguments[count++])
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_skip(reply, "bttttuii");
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0 && sd_bus_message_at_end(reply, false) == 0)
                return refuse(request, -EBADMSG, "it has more than one ExecStart=");
        if (r < 0)
                return refuse(request, r, strerrordesc_np(-r));
        *ret = TAKE_PTR(arguments);
        return 0;
}

int systemd_get_exec_start(
        Systemd *systemd, const char *unit, Usec deadline, char ***ret, Error *ret_error)
{
        Request request = {systemd, "read the command of", unit, deadline, ret_error};
        _cleanup_(sd_bus_message_unref) sd_bus_message *reply = NULL;
        _cleanup_(free) char *object = NULL;
        int r = get_object(&request, &object);

        if (r == 0)
                r = get_property(&request,
                        object,
                        SERVICE ".Service",
                        "ExecStart",
                        "a(sasbttttuii)",
                        &reply);
        return r < 0 ? r : read_exec_start(&request, reply, ret);
}

int systemd_reload(Systemd *systemd, Usec deadline, Error *ret_error)
{
        Request request = {systemd, "reload systemd's units", NULL, deadline, ret_error};
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        int r = new_call(&request, "Reload", &call);

        return r < 0 ? r : send_call(&request, call, &reply);
}

static int change_files(const Request *request, const char *method, bool force)
{
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        int r = new_call(request, method, &call);

        if (r == 0)
                r = sd_bus_message_append(call, "as", 1, request->unit);
        if (r >= 0)
                r = sd_bus_message_append(call, "b", false); /* not for this boot alone */
        if (r >= 0 && force)
                r = sd_bus_message_append(call, "b", true);
        return r < 0 ? r : send_call(request, call, &reply);
}

/* As systemctl does: no change where there is none to make, and a reload behind one. */
static int change_state(const Request *request, const char *method, const char *wanted)
{
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        bool enable = text_equal(wanted, "enabled");
        int r;

        r = systemd_get_unit(
                request->systemd, request->unit, request->deadline, &unit, request->ret_error);
        if (r < 0)
                return r;
        if (text_equal(unit.file_state, wanted) || text_equal(unit.file_state, "static"))
                return 0;
        if (!enable && (text_equal(unit.load_state, "not-found") || text_is_empty(unit.file_state)))
                return 0;
        r = change_files(request, method, enable);
        return r < 0 ? r : systemd_reload(request->systemd, request->deadline, request->ret_error);
}

int systemd_enable(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error)
{
        Request request = {systemd, "enable", unit, deadline, ret_error};

        return change_state(&request, "EnableUnitFiles", "enabled");
}

int systemd_disable(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error)
{
        Request request = {systemd, "disable", unit, deadline, ret_error};

        return change_state(&request, "DisableUnitFiles", "disabled");
}

/* --- jobs --- */

static int list_jobs(const Request *request, JobQueue *queue, uint32_t *ret_own)
{
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        const char *unit, *path;
        uint32_t id;
        int r = new_call(request, "ListJobs", &call);

        if (r == 0)
                r = send_call(request, call, &reply);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(usssoo)");
        while (r >= 0 && (r = sd_bus_message_read(
                                  reply, "(usssoo)", &id, &unit, NULL, NULL, &path, NULL)) > 0) {
                if (text_equal(path, request->systemd->job))
                        *ret_own = id;
                r = job_queue_add(queue, unit);
        }
        return r < 0 ? r : 0;
}

/* The units that `unit` is ordered after. One that cannot be looked at is taken to have none. */
static void visit_after(const char *unit, JobQueueVisit visit, void *visit_userdata, void *userdata)
{
        const Request *request = userdata;
        Request quiet = {request->systemd, "look at", unit, request->deadline, NULL};
        _cleanup_(sd_bus_message_unref) sd_bus_message *reply = NULL;
        _cleanup_(free) char *object = NULL;
        const char *other;

        if (get_object(&quiet, &object) == 0 &&
                get_property(&quiet, object, UNIT, "After", "as", &reply) == 0 &&
                sd_bus_message_enter_container(reply, 'a', "s") >= 0)
                while (sd_bus_message_read(reply, "s", &other) > 0 && visit(other, visit_userdata))
                        ;
}

static void cancel_job(const Request *request, uint32_t id)
{
        Request quiet = *request;
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;

        quiet.ret_error = NULL;
        if (new_call(&quiet, "CancelJob", &call) == 0 && sd_bus_message_append(call, "u", id) >= 0)
                (void)send_call(&quiet, call, &reply);
}

static int check_deadlock(const Request *request)
{
        _cleanup_(job_queue_free) JobQueue *queue = NULL;
        char chain[JOB_QUEUE_CHAIN_MAX];
        uint32_t own = 0;
        int r;

        if (!text_starts(request->systemd->own_unit, "cloud-"))
                return 0;
        r = job_queue_new(&queue);
        if (r < 0)
                return refuse(request, r, "no memory");
        r = list_jobs(request, queue, &own);
        if (r < 0 || !job_queue_waits(queue,
                             request->unit,
                             request->systemd->own_unit,
                             visit_after,
                             (void *)(uintptr_t)request,
                             chain))
                return r;
        cancel_job(request, own);
        return error_set(request->ret_error,
                -EDEADLK,
                "cannot %s '%s' from within cloud-init: its job would wait for this very process "
                "(%s); run this as its own unit: systemctl start --no-block "
                "flocker-bootstrap.service",
                request->verb,
                request->unit,
                chain);
}

static int explain_failure(const Request *request, const char *job_result)
{
        _cleanup_(systemd_unit_done) SystemdUnit unit = {};
        Systemd *systemd = request->systemd;
        bool known;

        known = systemd_get_unit(systemd, request->unit, request->deadline, &unit, NULL) == 0;
        (void)error_set(request->ret_error,
                -EIO,
                "cannot %s '%s': its job ended as '%s'",
                request->verb,
                request->unit,
                job_result);
        if (text_equal(job_result, "dependency")) /* its own result is of an earlier run */
                error_record_behind(request->ret_error,
                        " (a unit that it requires has failed; systemctl --failed shows it)");
        else if (known && unit.result[0] && !text_equal(unit.result, "success"))
                error_record_behind(request->ret_error,
                        " (result %s, status %d)",
                        unit.result,
                        unit.exec_status);
        unit_words_append(systemd->root, request->unit, request->ret_error);
        return -EIO;
}

static int await_job(const Request *request)
{
        Systemd *systemd = request->systemd;

        while (!systemd->result[0]) {
                Usec left = clock_left(systemd->clock, request->deadline);
                int r = sd_bus_process(systemd->bus, NULL);

                if (r == 0 && left == 0)
                        return refuse(request,
                                -ETIMEDOUT,
                                "its job has not ended by the deadline; systemctl list-jobs shows "
                                "it");
                if (r == 0)
                        r = sd_bus_wait(systemd->bus, left);
                if (r < 0 && r != -EINTR)
                        return refuse(request, r, "the connection to systemd broke");
        }
        if (text_equal(systemd->result, "done") || text_equal(systemd->result, "skipped"))
                return 0;
        return explain_failure(request, systemd->result);
}

static int run_job(const Request *request, const char *method)
{
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        Systemd *systemd = request->systemd;
        const char *path;
        int r = new_call(request, method, &call);

        if (r == 0)
                r = sd_bus_message_append(call, "ss", request->unit, "replace");
        if (r >= 0)
                r = send_call(request, call, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        (void)text_put(systemd->job, sizeof(systemd->job), path);
        systemd->result[0] = '\0';
        r = check_deadlock(request);
        return r < 0 ? r : await_job(request);
}

/* A unit that has failed too often is not started any more, whatever has been mended since: what
 * came before does not count. One that is not loaded has nothing to forget. */
static void forget_failures(const Request *request)
{
        _cleanup_(sd_bus_message_unref) sd_bus_message *call = NULL, *reply = NULL;
        Request silent = *request;

        silent.ret_error = NULL;
        if (new_call(&silent, "ResetFailedUnit", &call) == 0 &&
                sd_bus_message_append(call, "s", request->unit) >= 0)
                (void)send_call(&silent, call, &reply);
}

int systemd_start(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error)
{
        Request request = {systemd, "start", unit, deadline, ret_error};

        forget_failures(&request);
        return run_job(&request, "StartUnit");
}

int systemd_stop(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error)
{
        Request request = {systemd, "stop", unit, deadline, ret_error};
        _cleanup_(systemd_unit_done) SystemdUnit found = {};
        int r = systemd_get_unit(systemd, unit, deadline, &found, ret_error);

        if (r < 0 || text_equal(found.active_state, "inactive"))
                return r;
        return run_job(&request, "StopUnit");
}

int systemd_restart(Systemd *systemd, const char *unit, Usec deadline, Error *ret_error)
{
        Request request = {systemd, "restart", unit, deadline, ret_error};

        forget_failures(&request);
        return run_job(&request, "RestartUnit");
}
