/* flocker-rehearsal serve. */

#include "base/command.h"
#include "base/text.h"
#include "rehearsal/ground.h"
#include "rehearsal/instance.h"
#include "rehearsal/rehearse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define KEYS_LIFETIME USEC_PER_HOUR
#define SERVE_BUCKET  "rehearsal"

typedef struct ServeArguments {
        int64_t machines;
        bool keep, help;
} ServeArguments;

static const Option serve_options[] = {
        {"machines",
                0,
                OPTION_INT,
                "N",
                "how many machines (2)",
                offsetof(ServeArguments, machines),
                .min = 1,
                .max = 100},
        {"keep",
                0,
                OPTION_FLAG,
                NULL,
                "leave the machines' folders behind",
                offsetof(ServeArguments, keep)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(ServeArguments, help)},
};

/* A cloud with machines that run nothing. */
typedef struct Serving {
        Ground ground;
        PolicySet everything;
        CloudPrincipal *principal;
        Instance *machines[100];
        size_t count;
} Serving;

static void serving_done(Serving *serving)
{
        for (size_t i = 0; i < serving->count; i++)
                serving->machines[i] = instance_free(serving->machines[i]);
        ground_done(&serving->ground);
}
DEFINE_CLEANUP_IN_PLACE(Serving, serving_done);

static void ignore_line(const char *line, void *userdata)
{
        (void)line;
        (void)userdata;
}

static void ignore_end(int status, void *userdata)
{
        (void)status;
        (void)userdata;
}

static int add_machine(Serving *serving, Error *ret_error)
{
        Ground *ground = &serving->ground;
        char name[32], address[32], root[128];
        InstanceOptions machine = {
                .loop = ground->loop,
                .cloud = ground->cloud,
                .name = name,
                .root = root,
                .address = address,
                .rehearsal = ground->self,
                .bootstrap = ground->bootstrap,
                .instance_type = "m3.large",
                .image_id = "ami-0rehearsal",
                .zone = CLOUD_REGION "a",
                .role_name = "rehearsal",
                .principal = serving->principal,
                .keys_lifetime = KEYS_LIFETIME,
                .said = ignore_line,
                .ended = ignore_end,
        };
        int r;

        (void)snprintf(name, sizeof(name), "machine%zu", serving->count);
        (void)snprintf(address, sizeof(address), "%s.%zu", ground->network, 10 + serving->count);
        (void)snprintf(root, sizeof(root), "%s/%s", ground->folder, name);
        r = instance_new(&machine, &serving->machines[serving->count], ret_error);
        if (r < 0)
                return r;
        serving->count++;
        printf("\n# %s, %s\n"
               "export AWS_EC2_METADATA_SERVICE_ENDPOINT=%s AWS_ENDPOINT_URL=%s\n"
               "%s --root=%s --store=s3://" SERVE_BUCKET "/cluster --agents=1 --role=…\n",
                name,
                address,
                instance_metadata(serving->machines[serving->count - 1]),
                cloud_endpoint(ground->cloud),
                ground->bootstrap,
                root);
        return 0;
}

static int serve(Serving *serving, int64_t machines, Error *ret_error)
{
        Ground *ground = &serving->ground;
        int r;

        r = ground_find_programs(ground, false, ret_error);
        if (r == 0)
                r = ground_open(ground, ret_error);
        if (r == 0)
                r = cloud_add_bucket(ground->cloud, SERVE_BUCKET, ret_error);
        if (r == 0)
                r = cloud_add_principal(ground->cloud,
                        "rehearsal",
                        &serving->everything,
                        &serving->principal,
                        ret_error);
        for (int64_t i = 0; i < machines && r == 0; i++)
                r = add_machine(serving, ret_error);
        if (r < 0)
                return r;
        printf("\nCtrl-C ends it.\n");
        (void)fflush(stdout);
        event_loop_run(ground->loop);
        return 0;
}

int rehearse_serve(int argc, char *argv[])
{
        _cleanup_(serving_done)
                Serving serving = {.ground = GROUND_INIT, .everything = {.everything = true}};
        ServeArguments arguments = {.machines = 2};
        CommandLine line = {
                .program = "flocker-rehearsal serve",
                .description = "Keeps the embedded cloud open with machines that run nothing: a "
                               "bucket, metadata,\nsystemd and a Docker engine each. Prints how to "
                               "run flocker-bootstrap on them.",
                .options = serve_options,
                .n_options = ELEMENTS(serve_options),
        };
        Error error = ERROR_INIT;
        int operands, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;
        serving.ground.keep = arguments.keep;
        r = serve(&serving, arguments.machines, &error);
        return r < 0 ? command_fail(&line, r, &error) : EX_OK;
}
