/* Where settings come from: the document, the command line, the instance's tags; for a run,
 * `config` and what looks after a machine later. */

#pragma once

#include "agent/settings.h"

typedef struct Sources {
        const char *document; /* a file; NULL: the instance's user-data, if there is a metadata
                                 service */
        const SettingsTexts *texts; /* of the command line */
        bool force_role;            /* --role may contradict the document's first line */
        bool tags;                  /* ask for the instance's tags */
        Usec wait;                  /* for metadata to appear */
        MetadataSilence silent;     /* told of it (NULL: nobody), with `userdata` */
        void *userdata;
} Sources;

/* Reads all of them. *ret_identity is filled where metadata is asked (its instance_id NULL
 * otherwise). On failure *ret holds what was read until then: a handle among it can still be
 * signalled. */
int sources_read(const Sources *sources,
        SettingsBook *ret,
        MetadataIdentity *ret_identity,
        Error *ret_error);

/* For MetadataSilence, what a person is told: "waits for the metadata service at http://… until
 * 12:34:56 UTC (5 min); …". */
#define SOURCES_SILENCE_MAX 512U
const char *sources_describe_silence(
        const char *where, Usec until, char place[SOURCES_SILENCE_MAX]);
