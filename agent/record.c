#include "agent/record.h"

#include "base/folder.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "roles/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A line that was cut by a kill must not swallow the next one. */
static void end_last_line(int fd)
{
        char last;

        if (lseek(fd, -1, SEEK_END) >= 0 && read(fd, &last, 1) == 1 && last != '\n')
                (void)!write(fd, "\n", 1);
}

int record_open(int root_fd, const Clock *clock, Record *ret, Error *ret_error)
{
        Record record = {.fd = -1, .echo = -1, .clock = clock, .node = -1};
        uint8_t bytes[16];
        int r = random_get_bytes(bytes, sizeof(bytes), ret_error);

        if (r < 0)
                return r;
        text_uuid4(bytes, record.run);
        if (root_fd >= 0) {
                r = folder_make(root_fd, PATH_STATE, 0700, ret_error);
                if (r < 0)
                        return r;
                record.fd = openat(root_fd,
                        PATH_JOURNAL,
                        O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                        0600);
                if (record.fd < 0)
                        return error_set(ret_error, -errno, "cannot write '/" PATH_JOURNAL "': %m");
                end_last_line(record.fd);
        }
        *ret = record;
        return 0;
}

void record_done(Record *record)
{
        if (record->fd >= 0)
                (void)close(TAKE_FD(record->fd));
}

static int format_event(const Record *record, const RecordEvent *event, Buffer *ret)
{
        _cleanup_(json_free) Json *json = json_new_object();
        Usec wall = clock_wall(record->clock);
        char time[CLOCK_UTC_MAX];
        int r;

        clock_format_utc(wall, time);
        r = json_set_text(json, "time", time);
        if (r == 0)
                r = json_set_int64(json, "usec", (int64_t)wall);
        if (r == 0)
                r = json_set_text(json, "run", record->run);
        if (r == 0)
                r = json_set_text(json, "role", record->role);
        if (r == 0 && record->node >= 0)
                r = json_set_int64(json, "node", record->node);
        if (r == 0 && record->instance)
                r = json_set_text(json, "instance", record->instance);
        if (r == 0)
                r = json_set_text(json, "step", event->step);
        if (r == 0)
                r = json_set_text(json, "event", event->event);
        if (r == 0 && event->waits_for)
                r = json_set_text(json, "for", event->waits_for);
        if (r == 0 && event->what)
                r = json_set_text(json, "what", event->what);
        if (r == 0 && event->took != USEC_INFINITY)
                r = json_set_int64(json, "took", (int64_t)event->took);
        if (r == 0 && event->error)
                r = json_set_text(json, "error", event->error);
        if (r == 0)
                r = json_format(json, JSON_ONE_LINE, ret);
        return r == 0 ? buffer_append_text(ret, "\n") : r;
}

void record_event(const Record *record, const RecordEvent *event)
{
        _cleanup_(buffer_done) Buffer line = BUFFER_INIT(RECORD_LINE_MAX);
        const int fds[] = {record->fd, record->echo};

        if (format_event(record, event, &line) < 0)
                return;
        for (size_t i = 0; i < ELEMENTS(fds); i++)
                if (fds[i] >= 0)
                        (void)!write(fds[i], buffer_text(&line), line.size);
}
