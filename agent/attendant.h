/* A role opened outside of a run of its steps, for what looks after a machine later: `members`,
 * `renew`. */

#pragma once

#include "agent/machine.h"
#include "agent/settings.h"
#include "roles/role.h"

typedef struct Attendant {
        SettingsBook book;
        MetadataIdentity identity;
        Machine machine;
        const char *program; /* who it is that waits; borrowed */
        Role role; /* its clock and services are set; deadlines, say and dry_run are the caller's */
        int root_fd;
} Attendant;

#define ATTENDANT_INIT ((Attendant){.root_fd = -1})

/* Reads the settings as a run does, and opens what the role needs. `document`, `root`: NULL for the
 * instance's user-data, and "/". Metadata that is silent is waited for, which is said on stderr in
 * the name of `program` ("flocker-bootstrap renew"). */
int attendant_open(Attendant *attendant,
        const char *program,
        const char *document,
        const char *root,
        const SettingsTexts *texts,
        Error *ret_error);
void attendant_done(Attendant *attendant);
DEFINE_CLEANUP_IN_PLACE(Attendant, attendant_done);
