/* What a failed unit said of it, for the sentence that names the failure. */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

#define UNIT_WORDS_MAX 400U /* bytes of them in a sentence */

/* Appends "; it said: …": the last lines of the unit's own processes since its last start. Where
 * these said nothing, systemd's about it, which tell that it failed but not always why. Takes at
 * most a tenth of a second; a journal that cannot be read leaves the sentence as it is. `root` is
 * as journal_read_unit() has it. */
void unit_words_append(const char *root, const char *unit, Error *ret_error);

/* These words out of a journal's lines, with '|' between them: the unit's own, or
 * systemd's about it. A line that reaches the journal in front of systemd's "Starting …", behind
 * nothing else of systemd's, is of that start: each has a socket of its own to journald. */
int unit_words_choose(const char *lines, const char *unit, bool systemds, Buffer *ret);

/* Is the line one that systemd says of a unit it starts, stops or gives up? */
bool unit_words_are_systemds(const char *line, const char *unit);
