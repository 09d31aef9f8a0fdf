/* What `packer build -machine-readable` says, read line by line: progress for people, images,
 * errors, and what Packer has made in the account and not yet removed. Pure.
 *
 * A line is "time,target,type,data…"; a comma in data is "%!(PACKER_COMMA)", a newline "\n", a
 * carriage return "\r" (Packer documentation, "Machine-Readable Output"). Builds run side by side,
 * so that lines of several targets are mixed; what a build makes is known from its messages alone:
 * those of the amazon-ebs builder (hashicorp/packer-plugin-amazon, builder/common/step_*.go,
 * builder/ebs/step_create_ami.go).
 */

#pragma once

#include "template/image-map.h"

#define PACKER_OUTPUT_LINE_MAX  (64U * 1024U) /* bytes; what is longer is cut */
#define PACKER_OUTPUT_WORDS_MAX 16U
#define PACKER_OUTPUT_LEFT_MAX  128U

/* One line, taken apart in place. */
typedef struct PackerOutputLine {
        const char *target;                         /* the build; "": of none */
        const char *type;                           /* "ui", "artifact", "error", … */
        const char *words[PACKER_OUTPUT_WORDS_MAX]; /* commas and newlines as they were */
        size_t count;
} PackerOutputLine;

/* -EBADMSG: no such line (a plugin that writes to standard output itself). */
int packer_output_parse_line(char *text, PackerOutputLine *ret);

/* What Packer makes for a build, or as its result. */
typedef enum PackerThing {
        PACKER_INSTANCE,
        PACKER_KEY_PAIR,
        PACKER_SECURITY_GROUP,
        PACKER_IMAGE,
        PACKER_COPY, /* of the image, in another region: its id is not told until all are done */
        _PACKER_THINGS,
} PackerThing;

typedef struct PackerLeft {
        char build[64]; /* the target's name */
        PackerThing thing;
        char id[128]; /* of a copy: the region */
} PackerLeft;

typedef struct PackerOutput {
        ImageMap images;
        char build[64];   /* whose the error is; "": of none */
        Error error;      /* the first that Packer gave; no text: none */
        Error last_words; /* what a script in the machine last wrote to standard error */
        PackerLeft left[PACKER_OUTPUT_LEFT_MAX];
        size_t n_left;
        bool unknown_builder; /* the plugin is not installed */

        void (*say)(const char *text, void *userdata); /* one line of progress; NULL: nobody */
        void *userdata;
} PackerOutput;

/* One line, without its newline; changed in place. -EBADMSG: an artifact that is no map of images,
 * with the sentence. */
int packer_output_read(PackerOutput *output, char *line, Error *ret_error);

/* How one of those is removed by hand, with the AWS command line; a heap string, NULL when memory
 * is out. `image_name` is the name that copies carry. */
char *packer_output_remedy(const PackerLeft *left, const char *region, const char *image_name);
