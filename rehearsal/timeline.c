#include "rehearsal/timeline.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL     "var/lib/flocker-bootstrap/journal.jsonl"
#define JOURNAL_MAX (8U * 1024U * 1024U)

/* The drawing's measures, in pixels. */
#define LEFT       150
#define WIDTH      900
#define ROW        20
#define GAP        14
#define TOP        56
#define RIGHT      330 /* for labels behind the last bars */
#define BAR        2   /* at least */
#define LETTER     7   /* the width of a letter, rather more than less */
#define TICKS      8
#define LINKS_MAX  64U
#define NOTICEABLE (5 * USEC_PER_MSEC) /* a wait that is shorter made nobody late */

/* --- reading --- */

static TimelineStep *find_step(TimelineMachine *machine, const char *name)
{
        for (size_t i = 0; i < machine->n_steps; i++)
                if (text_equal(machine->steps[i].name, name))
                        return &machine->steps[i];
        if (machine->n_steps >= TIMELINE_STEPS_MAX)
                return NULL;
        machine->steps[machine->n_steps] = (TimelineStep){};
        (void)text_put(machine->steps[machine->n_steps].name, sizeof(machine->steps[0].name), name);
        return &machine->steps[machine->n_steps++];
}

static void take_event(TimelineMachine *machine, const Json *json)
{
        const char *name = json_text(json_member(json, "step"));
        const char *event = json_text(json_member(json, "event"));
        const char *what = json_member(json, "for") ? json_text(json_member(json, "for")) : NULL;
        TimelineStep *step = name ? find_step(machine, name) : NULL;
        int64_t at = 0;

        if (!step || json_get_int64(json, "journal", "usec", 0, INT64_MAX, &at, NULL) < 0)
                return;
        if (text_equal(event, "started"))
                step->start = (Usec)at;
        else if (text_equal(event, "waiting")) {
                if (step->waiting == 0)
                        step->waiting = (Usec)at;
                if (what && strlen(what) < sizeof(step->waits_for))
                        (void)text_put(step->waits_for, sizeof(step->waits_for), what);
        } else {
                step->end = (Usec)at;
                step->failed = text_equal(event, "failed");
                step->skipped = text_equal(event, "skipped");
        }
}

static const TimelineStep *find_signal(const TimelineMachine *machine)
{
        for (size_t i = 0; i < machine->n_steps; i++)
                if (text_equal(machine->steps[i].name, "signal"))
                        return &machine->steps[i];
        return NULL;
}

static bool has_signalled(const TimelineMachine *machine)
{
        const TimelineStep *step = find_signal(machine);

        return step && step->end > 0 && !step->failed && !step->skipped;
}

bool timeline_share(const TimelineMachine *machine, TimelineShare *ret)
{
        TimelineShare share = {};
        const TimelineStep *last = find_signal(machine);

        if (!has_signalled(machine) || machine->booted == 0 || last->end <= machine->booted)
                return false;
        for (size_t i = 0; i < machine->n_steps; i++) {
                const TimelineStep *step = &machine->steps[i];

                if (step->waiting > 0 && step->end > step->waiting)
                        share.waiting += step->end - step->waiting;
        }
        share.whole = last->end - machine->booted;
        share.ours = last->end - machine->steps[0].start;
        share.ours -= usec_min(share.ours, share.waiting);
        *ret = share;
        return true;
}

int timeline_add(
        Timeline *timeline, const char *name, const char *root, Usec booted, Error *ret_error)
{
        TimelineMachine *machine = &timeline->machines[timeline->n_machines];
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(JOURNAL_MAX);
        _cleanup_(free) char *path = text_format("%s/" JOURNAL, root);
        char run[64] = "", *rest, *line;
        int r;

        if (timeline->n_machines >= TIMELINE_MACHINES_MAX)
                return 0; /* more than a picture could show */
        r = path ? file_read(AT_FDCWD, path, JOURNAL_MAX, &text, ret_error) : -ENOMEM;
        if (r < 0 && r != -ENOENT)
                return r;
        *machine = (TimelineMachine){.booted = booted};
        (void)text_put(machine->name, sizeof(machine->name), name);
        timeline->n_machines++;

        rest = text.data;
        while (rest && (line = strsep(&rest, "\n"))) {
                _cleanup_(json_free) Json *json = NULL;
                const char *of_run;

                if (json_parse("journal", line, strlen(line), &json, NULL) < 0)
                        continue;
                of_run = json_text(json_member(json, "run"));
                if (!text_equal(run, of_run)) {
                        if (has_signalled(machine))
                                break;
                        (void)text_put(run, sizeof(run), of_run ? of_run : "");
                        machine->n_steps = 0;
                }
                take_event(machine, json);
        }
        return 0;
}

/* --- drawing --- */

static int x_of(const Timeline *timeline, Usec at)
{
        Usec whole = timeline->ended - timeline->began;

        if (at <= timeline->began || whole == 0)
                return LEFT;
        return LEFT + (int)((at - timeline->began) * WIDTH / whole);
}

static Usec end_of(const Timeline *timeline, const TimelineStep *step)
{
        return step->end > 0 ? step->end : timeline->ended;
}

/* The distance of ticks: 1, 2 or 5 of a power of ten, so that there are at most TICKS. */
static Usec find_step_width(Usec whole)
{
        static const Usec factors[] = {1, 2, 5};

        for (Usec unit = USEC_PER_MSEC;; unit *= 10)
                for (size_t i = 0; i < ELEMENTS(factors); i++)
                        if (whole / (factors[i] * unit) <= TICKS)
                                return factors[i] * unit;
}

static int draw_axis(const Timeline *timeline, int height, Buffer *ret)
{
        Usec whole = timeline->ended - timeline->began, step = find_step_width(whole);
        int r = 0;

        for (Usec at = 0; at <= whole && r == 0; at += step) {
                char span[CLOCK_SPAN_MAX];
                int x = x_of(timeline, timeline->began + at);

                r = buffer_append_format(ret,
                        "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"tick\"/>"
                        "<text x=\"%d\" y=\"%d\" class=\"axis\">%s</text>\n",
                        x,
                        TOP - 8,
                        x,
                        height - 30,
                        x,
                        TOP - 14,
                        clock_format_span(at, span));
        }
        return r;
}

static int draw_bar(
        const Timeline *timeline, const char *class, Usec start, Usec end, int y, Buffer *ret)
{
        int x = x_of(timeline, start), width = x_of(timeline, end) - x;

        return buffer_append_format(ret,
                "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s\"/>\n",
                x,
                y + 2,
                width >= BAR ? width : BAR,
                ROW - 5,
                class);
}

/* Behind the bar; where the picture ends before the label would, before it; else within its end. */
static int draw_label(const Timeline *timeline, const TimelineStep *step, int y, Buffer *ret)
{
        Usec end = end_of(timeline, step);
        int from = x_of(timeline, step->start), to = x_of(timeline, end), x = to + 5, width;
        char text[TIMELINE_WAITS_MAX + 128], span[CLOCK_SPAN_MAX];
        bool behind;

        (void)snprintf(text,
                sizeof(text),
                "%s %s%s%s%s",
                step->name,
                step->failed ? "failed after " : "",
                step->end == 0 ? "(not ended)" : clock_format_span(end - step->start, span),
                step->waits_for[0] ? ", waited for " : "",
                step->waits_for);
        width = (int)strlen(text) * LETTER;
        behind = x + width <= LEFT + WIDTH + RIGHT;
        if (!behind)
                x = (from - 5 - width >= LEFT ? from : to) - 5;
        return buffer_append_format(ret,
                "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n",
                x,
                y + ROW - 6,
                behind ? "label" : "label-end",
                text);
}

static int draw_step(const Timeline *timeline, const TimelineStep *step, int y, Buffer *ret)
{
        Usec end = end_of(timeline, step);
        int r;

        r = draw_bar(timeline,
                step->failed     ? "failed"
                : step->end == 0 ? "open"
                                 : "work",
                step->start,
                end,
                y,
                ret);
        if (r == 0 && step->waiting > 0)
                r = draw_bar(timeline, "wait", step->waiting, end, y, ret);
        return r == 0 ? draw_label(timeline, step, y, ret) : r;
}

static int count_rows(const TimelineMachine *machine)
{
        return machine->n_steps > 0 ? (int)machine->n_steps : 1;
}

static int draw_lane(const TimelineMachine *machine, int *y, Buffer *ret)
{
        int height = count_rows(machine) * ROW, top = *y;

        *y += height + GAP;
        return buffer_append_format(ret,
                "<rect x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"lane\"/>"
                "<text x=\"12\" y=\"%d\" class=\"name\">%s</text>\n",
                top - 3,
                LEFT + WIDTH + RIGHT,
                height + 6,
                top + ROW - 6,
                machine->name);
}

static int draw_steps(const Timeline *timeline, const TimelineMachine *machine, int *y, Buffer *ret)
{
        int r = 0;

        for (size_t i = 0; i < machine->n_steps && r == 0; i++)
                r = draw_step(timeline, &machine->steps[i], *y + (int)i * ROW, ret);
        *y += count_rows(machine) * ROW + GAP;
        return r;
}

static int measure_height(const Timeline *timeline)
{
        int height = TOP + 40;

        for (size_t i = 0; i < timeline->n_machines; i++)
                height += count_rows(&timeline->machines[i]) * ROW + GAP;
        return height;
}

int timeline_draw(const Timeline *timeline, Buffer *ret, Error *ret_error)
{
        static const char style[] =
                "text{font:12px sans-serif;fill:#222}.axis{fill:#777;text-anchor:middle}"
                ".label-end{text-anchor:end}"
                ".name{font-weight:bold}.title{font-size:16px;font-weight:bold}"
                ".tick{stroke:#ddd}.lane{fill:#f4f6f8}.work{fill:#2f74c0}.wait{fill:#c9d8e8}"
                ".failed{fill:#c0392b}.open{fill:#e0a030}";
        int height = measure_height(timeline), lane = TOP, y = TOP, r;
        char span[CLOCK_SPAN_MAX];

        r = buffer_append_format(ret,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n"
                "<style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                "<text x=\"12\" y=\"26\" class=\"title\">%s: %s</text>\n",
                LEFT + WIDTH + RIGHT,
                height,
                style,
                timeline->title,
                clock_format_span(timeline->ended - timeline->began, span));
        for (size_t i = 0; i < timeline->n_machines && r == 0; i++)
                r = draw_lane(&timeline->machines[i], &lane, ret);
        if (r == 0)
                r = draw_axis(timeline, height, ret);
        for (size_t i = 0; i < timeline->n_machines && r == 0; i++)
                r = draw_steps(timeline, &timeline->machines[i], &y, ret);
        if (r == 0)
                r = buffer_append_format(ret,
                        "<rect x=\"12\" y=\"%d\" width=\"12\" height=\"12\" class=\"work\"/>"
                        "<text x=\"30\" y=\"%d\">at work</text>"
                        "<rect x=\"100\" y=\"%d\" width=\"12\" height=\"12\" class=\"wait\"/>"
                        "<text x=\"118\" y=\"%d\">waiting for another machine</text>"
                        "<rect x=\"310\" y=\"%d\" width=\"12\" height=\"12\" class=\"failed\"/>"
                        "<text x=\"328\" y=\"%d\">failed</text>"
                        "<rect x=\"380\" y=\"%d\" width=\"12\" height=\"12\" class=\"open\"/>"
                        "<text x=\"398\" y=\"%d\">not ended</text>\n</svg>\n",
                        height - 22,
                        height - 12,
                        height - 22,
                        height - 12,
                        height - 22,
                        height - 12,
                        height - 22,
                        height - 12);
        return r < 0 ? error_set(ret_error, r, "cannot draw the timeline: %m") : 0;
}

/* --- the critical path --- */

/* Who makes what is waited for, and in which step. */
static const struct {
        const char *prefix, *step;
} makers[] = {
        {"docker/", "publish-docker-ca"},
        {"swarm/worker.json", "start-swarm"},
        {"flocker/", "make-flocker-certs"},
};

typedef struct Place {
        const TimelineMachine *machine;
        const TimelineStep *step;
} Place;

static const TimelineStep *step_of(const TimelineMachine *machine, const char *name)
{
        for (size_t i = 0; i < machine->n_steps; i++)
                if (text_equal(machine->steps[i].name, name))
                        return &machine->steps[i];
        return NULL;
}

/* The machine that does this step, and ended it last before `before`. */
static Place find_maker(
        const Timeline *timeline, const TimelineMachine *but, const char *step, Usec before)
{
        Place best = {};

        for (size_t i = 0; i < timeline->n_machines; i++) {
                const TimelineMachine *machine = &timeline->machines[i];
                const TimelineStep *found = machine != but ? step_of(machine, step) : NULL;

                if (found && found->end > 0 && found->end <= before + NOTICEABLE &&
                        (!best.step || found->end > best.step->end))
                        best = (Place){machine, found};
        }
        return best;
}

/* Whom a step that waited was waiting for; nobody's: it did not, or not noticeably. */
static Place find_cause(const Timeline *timeline, const Place *place)
{
        const TimelineStep *step = place->step;

        if (step->waiting == 0 || step->end < step->waiting + NOTICEABLE)
                return (Place){};
        for (size_t i = 0; i < ELEMENTS(makers); i++)
                if (text_starts(step->waits_for, makers[i].prefix)) {
                        Place maker =
                                find_maker(timeline, place->machine, makers[i].step, step->end);

                        /* one set leaves after another: the step may go on behind ours */
                        if (maker.step)
                                return maker;
                        for (size_t k = 0; k < timeline->n_machines; k++) {
                                const TimelineStep *open =
                                        step_of(&timeline->machines[k], makers[i].step);

                                if (open && open->start < step->end)
                                        return (Place){&timeline->machines[k], open};
                        }
                }
        return text_starts(step->waits_for, "the signal of")
                       ? find_maker(timeline, place->machine, "signal", step->end)
                       : (Place){};
}

static Place find_last(const Timeline *timeline)
{
        Place last = {};

        for (size_t i = 0; i < timeline->n_machines; i++) {
                const TimelineMachine *machine = &timeline->machines[i];

                for (size_t k = 0; k < machine->n_steps; k++)
                        if (!last.step || machine->steps[k].end > last.step->end)
                                last = (Place){machine, &machine->steps[k]};
        }
        return last;
}

static Place step_before(const Place *place)
{
        return place->step > place->machine->steps ? (Place){place->machine, place->step - 1}
                                                   : (Place){};
}

void timeline_explain(const Timeline *timeline, TimelineLink tell, void *userdata)
{
        Place path[LINKS_MAX], place = find_last(timeline);
        Usec until[LINKS_MAX], cursor = place.step ? place.step->end : 0;
        size_t count = 0;

        while (place.step && count < LINKS_MAX) {
                Place cause = find_cause(timeline, &place);

                path[count] = place;
                until[count++] = cursor;
                if (cause.step) {
                        cursor = usec_min(cause.step->end > 0 ? cause.step->end : place.step->end,
                                place.step->end);
                        place = cause;
                } else {
                        cursor = place.step->start;
                        place = step_before(&place);
                }
        }
        while (count-- > 0) {
                const TimelineStep *step = path[count].step;
                Usec end = usec_min(end_of(timeline, step), until[count]);
                char text[256], span[CLOCK_SPAN_MAX];

                if (end < step->start + NOTICEABLE)
                        continue;
                (void)snprintf(text,
                        sizeof(text),
                        "%s %s %s%s%s",
                        path[count].machine->name,
                        step->name,
                        clock_format_span(end - step->start, span),
                        step->waits_for[0] ? ", waiting for " : "",
                        step->waits_for);
                tell(text, userdata);
        }
}

void timeline_explain_shares(const Timeline *timeline, TimelineLink tell, void *userdata)
{
        bool any = false;

        for (size_t i = 0; i < timeline->n_machines; i++) {
                char whole[CLOCK_SPAN_MAX], ours[CLOCK_SPAN_MAX], waiting[CLOCK_SPAN_MAX];
                char text[256];
                TimelineShare share;

                if (!timeline_share(&timeline->machines[i], &share))
                        continue;
                if (!any)
                        tell("\nLaunch to signal:", userdata);
                any = true;
                (void)snprintf(text,
                        sizeof(text),
                        "  %-28s %s, of which %s ours (%u %%), %s waiting for others",
                        timeline->machines[i].name,
                        clock_format_span(share.whole, whole),
                        clock_format_span(share.ours, ours),
                        (unsigned)(share.ours * 100 / share.whole),
                        clock_format_span(share.waiting, waiting));
                tell(text, userdata);
        }
}
