/* flocker-template publish: puts a template where CloudFormation can read it. */

#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

/* As Command.run of base/command.h. */
int publish_command(int argc, char *argv[]);

typedef struct Publication {
        const char *name; /* of the template, for sentences */
        const char *text;
        size_t size;
        const char *address; /* s3://BUCKET/KEY; KEY gives the names' stem and ending */
        const char *version; /* NULL: of the template's content */
        const char
                *region; /* of the bucket, and of the stack in the link; NULL: the environment's */
        const char *stack; /* the stack's name in the link */
        bool public_read;
        bool latest;
} Publication;

typedef struct Published {
        char *url;          /* of the version's object */
        char *latest_url;   /* NULL: not asked for */
        char *quick_create; /* the console's page that makes a stack of it: of the latest, if asked
                               for */
        bool already;       /* the version was there, with the same bytes */
} Published;

void published_done(Published *published);
DEFINE_CLEANUP_IN_PLACE(Published, published_done);

/* Checks, then writes; where it fails, nothing is published. -EBADMSG: what `check` refuses;
 * -EEXIST: this version is there with other bytes; -EACCES; … */
int publish_template(const Publication *publication, Published *ret, Error *ret_error);

/* Appends {"url", "latest", "quick-create"} as JSON. -ENOMEM. */
int publish_format(const Published *published, Buffer *ret);

/* "templates/flocker.json" and "1.2" into "templates/flocker-1.2.json"; a heap string, NULL when
 * memory is out. Pure. */
char *publish_versioned_key(const char *key, const char *version);

/* The console's quick-create link, by the region's partition; a heap string, NULL when memory is
 * out. Pure. */
char *publish_quick_create(const char *region, const char *url, const char *stack);
