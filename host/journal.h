/* The systemd journal of this machine, read: the last lines of a unit, for the reason of a failure.
 *
 * Journals as systemd writes them today are understood (zstd, lz4 and xz compression, keyed hashes,
 * the compact format); no journald has to run. Files are read one by one: sd_journal_open_files(3)
 * on all of them drops without a word what it finds broken on the way, and a service would look
 * silent. Here a file that cannot be read, or that breaks off, is named; it is never taken for an
 * empty one.
 */

#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

#define JOURNAL_LINES_MAX 1000U
#define JOURNAL_LINE_MAX  4096U /* bytes; a longer line is cut with "…" */

/* Appends the last `lines` messages about `unit` ("docker.service"), oldest first, one a line: its
 * processes' own, systemd's about it, and those that name it as their object, as journalctl -u has
 * it. `root` is the folder that the machine's files lie below ("/": this machine); /var/log/journal
 * and /run/log/journal are looked at; below a root that is not "/" and has neither (a rehearsal's,
 * which runs no journald) var/log/units/<unit>.log stands for them. What does not fit into the
 * buffer's bound is left out, the oldest first.
 *
 * 0 with nothing appended: the unit has said nothing. -ENOENT: no journal there; -EPROTONOSUPPORT,
 * -EBADMSG, -EACCES …: a file or folder that cannot be read, named in the sentence; what the other
 * files say is appended all the same. -ETIMEDOUT: the deadline (of clock_system) came; what was
 * found is appended. */
int journal_read_unit(const char *root,
        const char *unit,
        size_t lines,
        Usec deadline,
        Buffer *ret,
        Error *ret_error);
