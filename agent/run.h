/* flocker-bootstrap --role=…: what cloud-init calls, and what people call again. */

#pragma once

#include "agent/settings.h"

/* Runs the role that the command line, the document or the tags name. An exit status of sysexits.h;
 * what went wrong has been said, and signalled. */
int run_command(int argc, char *argv[]);

/* Where a run's settings come from, shared with `config`. */
typedef struct RunSources {
        const char *document; /* a file; NULL: the instance's user-data, if there is a metadata
                                 service */
        const SettingsTexts *texts; /* of the command line */
        bool force_role;            /* --role may contradict the document's first line */
        bool tags;                  /* ask for the instance's tags */
        Usec wait;                  /* for metadata to appear */
} RunSources;

/* Reads all of them. *ret_identity is filled where metadata is asked (its instance_id NULL
 * otherwise). On failure *ret holds what was read until then: a handle among it can still be
 * signalled. */
int run_read_settings(const RunSources *sources,
        SettingsBook *ret,
        MetadataIdentity *ret_identity,
        Error *ret_error);
