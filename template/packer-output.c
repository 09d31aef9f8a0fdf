#include "template/packer-output.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COMMA "%!(PACKER_COMMA)"

/* Undoes what Packer did to one field, in place. */
static void unescape(char *text)
{
        char *to = text;

        for (const char *from = text; *from;) {
                if (text_starts(from, COMMA)) {
                        *to++ = ',';
                        from += strlen(COMMA);
                } else if (from[0] == '\\' && (from[1] == 'n' || from[1] == 'r')) {
                        *to++ = from[1] == 'n' ? '\n' : '\r';
                        from += 2;
                } else {
                        *to++ = *from++;
                }
        }
        *to = '\0';
}

int packer_output_parse_line(char *text, PackerOutputLine *ret)
{
        PackerOutputLine line = {};
        char *fields[3 + PACKER_OUTPUT_WORDS_MAX], *next = text;
        size_t count = 0;

        while (next && count < ELEMENTS(fields)) {
                fields[count++] = next;
                next = count < ELEMENTS(fields) ? strchr(next, ',') : NULL;
                if (next)
                        *next++ = '\0';
        }
        if (count < 3 || !fields[0][0] || fields[0][strspn(fields[0], "0123456789")] ||
                !fields[2][0])
                return -EBADMSG;
        line.target = fields[1];
        line.type = fields[2];
        for (size_t i = 1; i < count; i++)
                unescape(fields[i]);
        for (size_t i = 3; i < count; i++)
                line.words[line.count++] = fields[i];
        *ret = line;
        return 0;
}

/* --- what is made and removed --- */

static PackerLeft *find(PackerOutput *output, const char *build, PackerThing thing)
{
        for (size_t i = 0; i < output->n_left; i++)
                if (output->left[i].thing == thing && text_equal(output->left[i].build, build))
                        return &output->left[i];
        return NULL;
}

static void add(PackerOutput *output, const char *build, PackerThing thing, const char *id)
{
        PackerLeft *left = thing == PACKER_COPY ? NULL : find(output, build, thing);

        if (!left && output->n_left == ELEMENTS(output->left))
                return;
        if (!left)
                left = &output->left[output->n_left++];
        *left = (PackerLeft){.thing = thing};
        (void)snprintf(left->build, sizeof(left->build), "%s", build);
        (void)snprintf(left->id, sizeof(left->id), "%.*s", TEXT_PART(id, strcspn(id, " \n(")));
}

static void take_away(PackerOutput *output, const char *build, PackerThing thing)
{
        PackerLeft *left = find(output, build, thing);

        if (!left)
                return;
        output->n_left--;
        memmove(left, left + 1, (size_t)(&output->left[output->n_left] - left) * sizeof(*left));
}

typedef enum Happening {
        MADE,    /* the id stands behind the message */
        REMOVED, /* Packer is at it */
        KEPT,    /* it could not: the id stands behind the message, or is known */
} Happening;

static const struct {
        const char *message;
        PackerThing thing;
        Happening happening;
} happenings[] = {
        {"Instance ID: ", PACKER_INSTANCE, MADE},
        {"Terminating the source AWS instance", PACKER_INSTANCE, REMOVED},
        {"Creating temporary keypair: ", PACKER_KEY_PAIR, MADE},
        {"Deleting temporary keypair", PACKER_KEY_PAIR, REMOVED},
        {"Error cleaning up keypair. Please delete the key manually: ", PACKER_KEY_PAIR, KEPT},
        {"Creating temporary security group for this instance: ", PACKER_SECURITY_GROUP, MADE},
        {"Deleting temporary security group", PACKER_SECURITY_GROUP, REMOVED},
        {"Error cleaning up security group. Please delete the group manually: ",
                PACKER_SECURITY_GROUP,
                KEPT},
        {"AMI: ", PACKER_IMAGE, MADE},
        {"Deregistering the AMI", PACKER_IMAGE, REMOVED},
        {"Copying to: ", PACKER_COPY, MADE},
};

/* A message that is of one build: "==> NAME: text" or "    NAME: text". */
static const char *split_message(const char *text, char *build, size_t size)
{
        const char *name = text, *colon;

        if (text_starts(name, "==> ") || text_starts(name, "    "))
                name += 4;
        else
                return NULL;
        colon = strstr(name, ": ");
        if (!colon || (size_t)(colon - name) >= size)
                return NULL;
        (void)snprintf(build, size, "%.*s", TEXT_PART(name, colon - name));
        return colon + 2;
}

static void note_happening(PackerOutput *output, const char *text)
{
        char build[sizeof(output->left[0].build)];
        const char *message = split_message(text, build, sizeof(build));

        for (size_t i = 0; message && i < ELEMENTS(happenings); i++) {
                const char *behind = message + strlen(happenings[i].message);

                if (!text_starts(message, happenings[i].message))
                        continue;
                if (happenings[i].happening == REMOVED)
                        take_away(output, build, happenings[i].thing);
                else
                        add(output, build, happenings[i].thing, behind);
        }
}

/* --- the lines --- */

/* Each line of the text by itself, without control characters. */
static void say(PackerOutput *output, const char *text)
{
        char line[1024];

        for (const char *end; output->say && *text; text = *end ? end + 1 : end) {
                end = text + strcspn(text, "\n");
                (void)snprintf(line, sizeof(line), "%.*s", TEXT_PART(text, end - text));
                text_mend_utf8(line);
                text_flatten(line);
                if (line[0])
                        output->say(line, output->userdata);
        }
}

/* The text's first line that says something: not "2 error(s) occurred:", but what follows it. */
static void keep_error(PackerOutput *output, const char *build, const char *text)
{
        static const char several[] = " error(s) occurred:";

        if (output->error.text[0])
                return;
        text += strspn(text, " \n");
        if (text_starts(text, "Script exited with non-zero exit status") &&
                output->last_words.text[0])
                text = output->last_words.text; /* the script knows why */
        if (text_starts(text + strspn(text, "0123456789"), several)) {
                text = strstr(text, several) + strlen(several);
                text += strspn(text, " \n*");
        }
        (void)snprintf(output->build, sizeof(output->build), "%s", build);
        error_record(&output->error, -EREMOTEIO, "%.*s", TEXT_PART(text, strcspn(text, "\n")));
}

/* "==> NAME: text" as an error: a script's standard error. */
static void keep_last_words(PackerOutput *output, const char *text)
{
        char build[sizeof(output->build)];
        const char *words = split_message(text, build, sizeof(build));

        if (words && words[0])
                error_record(&output->last_words, -EREMOTEIO, "%s", words);
}

static void read_message(PackerOutput *output, const PackerOutputLine *line)
{
        const char *text = line->words[1];

        if (text_equal(line->words[0], "error"))
                keep_last_words(output, text);

        if (text_equal(line->words[0], "error") && strstr(text, "Unknown builder"))
                output->unknown_builder = true;
        if (text_equal(line->words[0], "error") && text_starts(text, "Error: "))
                keep_error(output, line->target, text + strlen("Error: "));
        note_happening(output, text);
        say(output, text);
}

/* "us-west-1:ami-1,us-east-1:ami-2" */
static int read_images(PackerOutput *output, char *text, Error *ret_error)
{
        char *pair, *comma;
        int r = 0;

        for (pair = text; r == 0 && pair; pair = comma) {
                char *colon;

                comma = strchr(pair, ',');
                if (comma)
                        *comma++ = '\0';
                colon = strchr(pair, ':');
                if (!colon)
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot read Packer's images: expected REGION:AMI, found '%.80s'",
                                pair);
                *colon = '\0';
                r = image_map_put(&output->images, pair, colon + 1, NULL, ret_error);
        }
        return r;
}

/* Is it the artifact of a builder that makes images of AWS? "us-west-1:ami-…" */
static bool is_images(const char *id)
{
        const char *colon = strchr(id, ':');

        return colon && text_starts(colon, ":ami-");
}

int packer_output_read(PackerOutput *output, char *text, Error *ret_error)
{
        PackerOutputLine line;

        if (packer_output_parse_line(text, &line) < 0) {
                say(output, text);
                return 0;
        }
        if (text_equal(line.type, "ui") && line.count >= 2)
                read_message(output, &line);
        if (text_equal(line.type, "error") && line.count >= 1)
                keep_error(output, line.target, line.words[0]);
        if (text_equal(line.type, "artifact") && line.count >= 3 &&
                text_equal(line.words[1], "id") && is_images(line.words[2]))
                return read_images(output, (char *)(uintptr_t)line.words[2], ret_error);
        return 0;
}

char *packer_output_remedy(const PackerLeft *left, const char *region, const char *image_name)
{
        switch (left->thing) {
        case PACKER_INSTANCE:
                return text_format("instance %s: aws ec2 terminate-instances --region %s "
                                   "--instance-ids %s",
                        left->id,
                        region,
                        left->id);
        case PACKER_KEY_PAIR:
                return text_format("key pair %s: aws ec2 delete-key-pair --region %s --key-name %s",
                        left->id,
                        region,
                        left->id);
        case PACKER_SECURITY_GROUP:
                return text_format("security group %s, once the instance is gone: aws ec2 "
                                   "delete-security-group --region %s --group-name %s",
                        left->id,
                        region,
                        left->id);
        case PACKER_IMAGE:
                return text_format(
                        "image %s: aws ec2 deregister-image --region %s --image-id %s; then its "
                        "snapshots, which aws ec2 describe-images names before",
                        left->id,
                        region,
                        left->id);
        case PACKER_COPY:
        case _PACKER_THINGS:
        default:
                return text_format("perhaps a copy in %s: aws ec2 describe-images --region %s "
                                   "--owners self --filters Name=name,Values=%s",
                        left->id,
                        left->id,
                        image_name);
        }
}
