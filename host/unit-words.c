#include "host/unit-words.h"

#include "base/text.h"
#include "host/journal.h"

#include <errno.h>
#include <string.h>

#define SHOWN_LINES 3U
#define READ_LINES  20U /* systemd says up to five of a failure, and again for each further try */
#define READ_TIME   (100 * USEC_PER_MSEC)
#define READ_TRIES  2U
#define READ_STEP   (20 * USEC_PER_MSEC)
#define READ_MAX    (32U * 1024U)

bool unit_words_are_systemds(const char *line, const char *unit)
{
        static const char *const beginnings[] = {
                "Starting ",
                "Started ",
                "Stopping ",
                "Stopped ",
                "Finished ",
                "Failed to start ",
                "Dependency failed for ",
        };
        size_t length = strlen(unit);

        if (text_starts(line, unit) && text_starts(line + length, ": "))
                return true;
        for (size_t i = 0; i < ELEMENTS(beginnings); i++)
                if (text_starts(line, beginnings[i]))
                        return true;
        return false;
}

int unit_words_choose(const char *lines, const char *unit, bool systemds, Buffer *ret)
{
        _cleanup_(free) char *copy = text_copy(lines);
        const char *chosen[READ_LINES];
        char *rest = copy, *line;
        size_t count = 0, fresh = 0; /* the first of those behind systemd's last line */
        int r = copy ? 0 : -ENOMEM;

        while (rest && count < READ_LINES && (line = strsep(&rest, "\n"))) {
                bool theirs = unit_words_are_systemds(line, unit);

                if (text_starts(line, "Starting ")) {
                        count -= fresh;
                        memmove(chosen, chosen + fresh, count * sizeof(chosen[0]));
                }
                if (*line && theirs == systemds)
                        chosen[count++] = line;
                if (theirs)
                        fresh = count;
        }
        for (size_t i = count > SHOWN_LINES ? count - SHOWN_LINES : 0; i < count && r == 0; i++)
                r = buffer_append_format(ret, "%s%s", ret->size > 0 ? "|" : "", chosen[i]);
        return r;
}

void unit_words_append(const char *root, const char *unit, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer lines = BUFFER_INIT(READ_MAX), words = BUFFER_INIT(READ_MAX);

        /* What a unit says reaches the journal behind what systemd says of its end, at times. */
        for (unsigned i = 0; i < READ_TRIES && words.size == 0; i++) {
                Usec deadline = clock_deadline(&clock_system, READ_TIME);

                if (i > 0)
                        clock_sleep_until(&clock_system, clock_deadline(&clock_system, READ_STEP));
                buffer_clear(&lines);
                (void)journal_read_unit(root, unit, READ_LINES, deadline, &lines, NULL);
                (void)unit_words_choose(buffer_text(&lines), unit, false, &words);
        }
        if (words.size == 0)
                (void)unit_words_choose(buffer_text(&lines), unit, true, &words);
        if (words.size == 0)
                return;
        text_mend_utf8(words.data);
        error_record_behind(ret_error,
                "; it said: %.*s",
                (int)text_cut(words.data, words.size, UNIT_WORDS_MAX),
                words.data);
}
