/* The properties of units, as systemd shows them on the bus. */

#include "base/text.h"
#include "rehearsal/systemd-parts.h"

static void put_variant_text(DbusBody *body, const char *text)
{
        dbus_append_signature(body, "s");
        dbus_append_text(body, text);
}

static void put_variant_uint32(DbusBody *body, const char *type, uint32_t value)
{
        dbus_append_signature(body, type);
        dbus_append_uint32(body, value);
}

static void put_after(DbusBody *body, const Unit *unit)
{
        size_t mark;

        dbus_append_signature(body, "as");
        mark = dbus_begin_array(body, 4);
        for (size_t i = 0; unit->file.after[i]; i++)
                dbus_append_text(body, unit->file.after[i]);
        dbus_end_array(body, mark);
}

static void put_exec_start(DbusBody *body, const Unit *unit)
{
        size_t outer, inner;

        dbus_append_signature(body, "a(sasbttttuii)");
        outer = dbus_begin_array(body, 8);
        if (unit->file.arguments[0]) {
                dbus_align(body, 8);
                dbus_append_text(body, unit->file.arguments[0]);
                inner = dbus_begin_array(body, 4);
                for (size_t i = 0; unit->file.arguments[i]; i++)
                        dbus_append_text(body, unit->file.arguments[i]);
                dbus_end_array(body, inner);
                dbus_append_uint32(body, false);
                for (size_t i = 0; i < 4; i++)
                        dbus_append_uint64(body, 0);
                for (size_t i = 0; i < 3; i++)
                        dbus_append_uint32(body, 0);
        }
        dbus_end_array(body, outer);
}

static const char *load_state(const Unit *unit)
{
        static const char *const names[] = {"not-found", "loaded", "masked", "bad-setting"};

        return names[unit->file.load];
}

static const char *active_state(const Unit *unit)
{
        if (unit->job_running && unit->job == JOB_START)
                return "activating";
        return unit->active ? "active" : unit->failed ? "failed" : "inactive";
}

static const char *sub_state(const Unit *unit)
{
        if (unit->active)
                return text_ends(unit->name, ".socket") ? "listening"
                       : unit->child                    ? "running"
                                                        : "exited";
        return unit->failed ? "failed" : "dead";
}

/* False: there is no such property. */
static bool put_property(DbusBody *body, Unit *unit, const char *name)
{
        if (text_equal(name, "Id"))
                put_variant_text(body, unit->name);
        else if (text_equal(name, "LoadState"))
                put_variant_text(body, load_state(unit));
        else if (text_equal(name, "ActiveState"))
                put_variant_text(body, active_state(unit));
        else if (text_equal(name, "SubState"))
                put_variant_text(body, sub_state(unit));
        else if (text_equal(name, "UnitFileState"))
                put_variant_text(body, unit_file_state(unit->host->root, unit->name, &unit->file));
        else if (text_equal(name, "Result"))
                put_variant_text(body, unit->result);
        else if (text_equal(name, "FragmentPath"))
                put_variant_text(body, unit->file.path);
        else if (text_equal(name, "ExecMainStatus"))
                put_variant_uint32(body, "i", (uint32_t)unit->status);
        else if (text_equal(name, "MainPID"))
                put_variant_uint32(
                        body, "u", unit->child ? (uint32_t)event_child_pid(unit->child) : 0);
        else if (text_equal(name, "NeedDaemonReload"))
                put_variant_uint32(body, "b", systemd_needs_reload(unit));
        else if (text_equal(name, "After"))
                put_after(body, unit);
        else if (text_equal(name, "ExecStart"))
                put_exec_start(body, unit);
        else
                return false;
        return true;
}

void systemd_answer_property(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;
        Unit *unit = systemd_find_by_path(host, call->path);
        DbusReader reader = dbus_reader(call);
        const char *interface = "", *name = "";

        (void)dbus_read_text(&reader, &interface);
        (void)dbus_read_text(&reader, &name);
        (void)text_put(body.signature, sizeof(body.signature), "v");
        if (!unit)
                dbus_reply_error(
                        peer, call, "org.freedesktop.DBus.Error.UnknownObject", "Unknown object.");
        else if (!put_property(&body, unit, name))
                dbus_reply_error(peer,
                        call,
                        "org.freedesktop.DBus.Error.UnknownProperty",
                        "Unknown property.");
        else
                dbus_reply(peer, call, &body);
}

void systemd_answer_all(SystemdHost *host, DbusPeer *peer, const DbusMessage *call)
{
        static const char *const names[] = {"Id",
                "LoadState",
                "ActiveState",
                "SubState",
                "UnitFileState",
                "FragmentPath",
                "NeedDaemonReload",
                "After",
                "Result",
                "ExecMainStatus",
                "MainPID",
                "ExecStart"};
        _cleanup_(dbus_body_done) DbusBody body = DBUS_BODY_INIT;
        Unit *unit = systemd_find_by_path(host, call->path);
        size_t mark;

        if (!unit) {
                dbus_reply_error(
                        peer, call, "org.freedesktop.DBus.Error.UnknownObject", "Unknown object.");
                return;
        }
        (void)text_put(body.signature, sizeof(body.signature), "a{sv}");
        mark = dbus_begin_array(&body, 8);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                dbus_align(&body, 8);
                dbus_append_text(&body, names[i]);
                (void)put_property(&body, unit, names[i]);
        }
        dbus_end_array(&body, mark);
        dbus_reply(peer, call, &body);
}
