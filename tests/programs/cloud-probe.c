/* The embedded cloud's services alone, for tests that are written in Python.
 *
 *         cloud-probe
 *
 * A cloud with a bucket "bucket", a user who may do everything, one wait handle, one secret, and
 * the metadata services of two instances: one that requires tokens, one that does not. Prints where
 * they are as a JSON object, then an object for each signal. Reads commands from stdin, a line
 * each, until it ends:
 *
 *         role SECONDS POLICY    a role with this policy document; prints its keys, good that long
 *         metadata SECONDS POLICY  likewise, through an instance's metadata service
 *         close                  the stack has finished: the handle takes nothing more
 */

#include "base/text.h"
#include "rehearsal/metadata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUCKET    "bucket"
#define ADDRESS   "127.0.0.1"
#define USER_DATA "#!/usr/bin/flocker-bootstrap --role=agent\ncluster: \"k\xC3\xA4se\"\n"
#define LINE_MAX  (64U * 1024U)
#define ROLES_MAX 16U
#define HOUR      (60 * USEC_PER_MINUTE)
#define LAUNCHED  ((Usec)1795511100 * USEC_PER_SEC) /* 2026-11-24T09:05:00Z */

typedef struct CloudProbe {
        EventLoop *loop;
        Cloud *cloud;
        EventReader *reader;
        CloudHandle *handle;
        MetadataHost *hosts[ROLES_MAX];
        Json *documents[ROLES_MAX];
        PolicySet policies[ROLES_MAX];
        size_t n_hosts, n_roles;
        Buffer input;
        Error error;
} CloudProbe;

static void print(Json *take_object)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(LINE_MAX);

        (void)json_format(take_object, JSON_ONE_LINE, &text);
        (void)json_free(take_object);
        (void)printf("%s\n", buffer_text(&text));
        (void)fflush(stdout);
}

static void on_signal(const CloudSignal *signal, void *userdata)
{
        Json *object = json_new_object();

        (void)userdata;
        (void)json_set_bool(object, "success", signal->success);
        (void)json_set_text(object, "reason", signal->reason ? signal->reason : "");
        (void)json_set_text(object, "id", signal->id);
        (void)json_set_text(object, "data", signal->data ? signal->data : "");
        print(object);
}

static void set_keys(Json *object, const CloudKeys *keys)
{
        (void)json_set_text(object, "access_key", keys->access_key);
        (void)json_set_text(object, "secret_key", keys->secret_key);
        (void)json_set_text(object, "token", keys->token);
}

static int add_host(CloudProbe *probe, CloudPrincipal *principal, Usec lifetime, bool tokens)
{
        const MetadataHostOptions options = {
                .loop = probe->loop,
                .address = ADDRESS,
                .instance_id = "i-0123456789abcdef0",
                .instance_type = "m3.large",
                .image_id = "ami-0123456789abcdef0",
                .zone = CLOUD_REGION "a",
                .role_name = "node",
                .principal = principal,
                .keys_lifetime = lifetime,
                .user_data = USER_DATA,
                .tokens_required = tokens,
                .launched = LAUNCHED,
        };
        int r = metadata_host_new(&options, &probe->hosts[probe->n_hosts], &probe->error);

        probe->n_hosts += r == 0;
        return r;
}

/* "SECONDS POLICY" */
static int add_role(CloudProbe *probe, const char *words, Usec *ret_lifetime, CloudPrincipal **ret)
{
        _cleanup_(free) char *seconds = text_copy_part(words, strcspn(words, " "));
        const char *policy = words + strcspn(words, " ");
        PolicySet *set = &probe->policies[probe->n_roles];
        Json **document = &probe->documents[probe->n_roles];
        uint64_t lifetime;
        int r;

        if (!seconds || probe->n_roles == ROLES_MAX ||
                text_to_uint64(seconds, 0, 3600, &lifetime) < 0)
                return error_set(&probe->error, -EINVAL, "no role: '%s'", words);
        r = json_parse("policy", policy, strlen(policy), document, &probe->error);
        if (r == 0)
                r = policy_check(*document, "policy", &probe->error);
        if (r < 0)
                return r;
        probe->n_roles++;
        *set = (PolicySet){.documents = {*document}, .count = 1};
        *ret_lifetime = lifetime * USEC_PER_SEC;
        return cloud_add_principal(probe->cloud, "role", set, ret, &probe->error);
}

static int take_line(CloudProbe *probe, const char *line)
{
        Json *object = json_new_object();
        CloudPrincipal *principal;
        Usec lifetime;
        int r = 0;

        if (text_starts(line, "role ")) {
                r = add_role(probe, line + strlen("role "), &lifetime, &principal);
                if (r == 0)
                        set_keys(object, cloud_issue_keys(principal, lifetime));
        } else if (text_starts(line, "metadata ")) {
                r = add_role(probe, line + strlen("metadata "), &lifetime, &principal);
                if (r == 0)
                        r = add_host(probe, principal, lifetime, true);
                if (r == 0)
                        (void)json_set_text(object,
                                "metadata",
                                metadata_host_endpoint(probe->hosts[probe->n_hosts - 1]));
        } else if (text_equal(line, "close")) {
                cloud_close_handle(probe->handle);
        } else {
                r = error_set(&probe->error, -EINVAL, "no command: '%s'", line);
        }
        if (r < 0)
                (void)json_set_text(object, "error", probe->error.text);
        print(object);
        return r;
}

static void on_input(void *userdata)
{
        CloudProbe *probe = userdata;
        char *place, *end;
        ssize_t n = -1;

        if (buffer_reserve(&probe->input, 4096, &place) == 0)
                n = read(STDIN_FILENO, place, 4096);
        if (n <= 0) {
                event_loop_end(probe->loop);
                return;
        }
        probe->input.size += (size_t)n;
        probe->input.data[probe->input.size] = '\0';
        while ((end = strchr(probe->input.data, '\n'))) {
                size_t rest = probe->input.size - (size_t)(end + 1 - probe->input.data);

                *end = '\0';
                (void)take_line(probe, probe->input.data);
                memmove(probe->input.data, end + 1, rest + 1);
                probe->input.size = rest;
        }
}

static int start(CloudProbe *probe)
{
        static const PolicySet everything = {.everything = true};
        CloudPrincipal *user = NULL;
        const char *secret = NULL;
        Json *object = json_new_object();
        int r = event_loop_new(&probe->loop, &probe->error);

        if (r == 0)
                r = cloud_new(probe->loop, ADDRESS, &probe->cloud, &probe->error);
        if (r == 0)
                r = cloud_add_bucket(probe->cloud, BUCKET, &probe->error);
        if (r == 0)
                r = cloud_add_principal(probe->cloud, "user", &everything, &user, &probe->error);
        if (r == 0)
                r = cloud_add_secret(
                        probe->cloud, "dataset", "{\"a\":\"b\"}", &secret, &probe->error);
        if (r == 0)
                r = cloud_add_handle(
                        probe->cloud, "HandleX1", on_signal, probe, &probe->handle, &probe->error);
        if (r == 0)
                r = add_host(probe, user, HOUR, true);
        if (r == 0)
                r = add_host(probe, user, HOUR, false);
        if (r == 0)
                r = event_reader_new(probe->loop, STDIN_FILENO, on_input, probe, &probe->reader);
        if (r == 0) {
                set_keys(object, cloud_issue_keys(user, USEC_INFINITY));
                (void)json_set_text(object, "endpoint", cloud_endpoint(probe->cloud));
                (void)json_set_text(object, "metadata", metadata_host_endpoint(probe->hosts[0]));
                (void)json_set_text(object, "optional", metadata_host_endpoint(probe->hosts[1]));
                (void)json_set_text(object, "handle", cloud_handle_url(probe->handle));
                (void)json_set_text(object, "secret", secret);
                print(json_ref(object));
        }
        (void)json_free(object);
        return r;
}

int main(void)
{
        static CloudProbe probe;
        int r;

        probe.input = BUFFER_INIT(LINE_MAX);
        r = start(&probe);
        if (r == 0)
                event_loop_run(probe.loop);
        else
                (void)fprintf(stderr, "cloud-probe: %s\n", probe.error.text);
        for (size_t i = 0; i < probe.n_hosts; i++)
                (void)metadata_host_free(probe.hosts[i]);
        (void)event_reader_free(probe.reader);
        (void)cloud_free(probe.cloud);
        (void)event_loop_free(probe.loop);
        for (size_t i = 0; i < probe.n_roles; i++)
                (void)json_free(probe.documents[i]);
        buffer_done(&probe.input);
        return r == 0 ? 0 : 1;
}
