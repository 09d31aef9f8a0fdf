#include "rehearsal/rehearse-options.h"

#include "base/text.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#define PROJECT       "flocker"
#define KEYS_LIFETIME USEC_PER_HOUR

enum {
        MACHINES_PROCESSES,
        MACHINES_NSPAWN,
};

static const char *const machine_kinds[] = {"processes", "nspawn", NULL};

static const Option options[] = {
        {"agents",
                0,
                OPTION_INT,
                "N",
                "without a TEMPLATE: how many agents (2)",
                offsetof(RehearseOptions, agents),
                .min = 1,
                .max = 100},
        {"swarm",
                0,
                OPTION_TEXT,
                "MODE",
                "without a TEMPLATE: builtin, classic, none",
                offsetof(RehearseOptions, swarm)},
        {"components",
                0,
                OPTION_TEXT,
                "LIST",
                "without a TEMPLATE: of flocker, docker, swarm",
                offsetof(RehearseOptions, components)},
        {"keep-secrets",
                0,
                OPTION_FLAG,
                NULL,
                "without a TEMPLATE: nodes may come later",
                offsetof(RehearseOptions, keep_secrets)},
        {"parameter",
                0,
                OPTION_TEXTS,
                "NAME=VALUE",
                "a value for a parameter of the template",
                offsetof(RehearseOptions, parameters)},
        {"stack-name",
                0,
                OPTION_TEXT,
                "NAME",
                "the stack's name (" PROJECT ")",
                offsetof(RehearseOptions, stack_name)},
        {"update",
                0,
                OPTION_TEXT,
                "TEMPLATE",
                "then make the stack one of this template, as an update",
                offsetof(RehearseOptions, update)},
        {"fault",
                0,
                OPTION_TEXTS,
                "WHERE:WHAT:KIND",
                "what goes wrong: AgentNode1:verify:kill, s3:ca.pem:reset, …",
                offsetof(RehearseOptions, faults)},
        {"faults",
                0,
                OPTION_TEXT,
                "FILE",
                "a file of such faults, one a line",
                offsetof(RehearseOptions, faults_file)},
        {"keys",
                0,
                OPTION_TEXT,
                "DIR",
                "control uses these private keys before making any",
                offsetof(RehearseOptions, keys)},
        {"keys-lifetime",
                0,
                OPTION_SPAN,
                "SPAN",
                "of the roles' credentials (1h)",
                offsetof(RehearseOptions, keys_lifetime)},
        {"timeline",
                0,
                OPTION_TEXT,
                "FILE.svg",
                "draw when each machine did what",
                offsetof(RehearseOptions, timeline)},
        {"machines",
                0,
                OPTION_CHOICE,
                "KIND",
                "processes (what needs no rights), or nspawn: systemd, Docker, cloud-init",
                offsetof(RehearseOptions, machines),
                .choices = machine_kinds},
        {"image",
                0,
                OPTION_TEXT,
                "DIR[:DIR…]",
                "nspawn: their root file system, in layers, the uppermost first",
                offsetof(RehearseOptions, image)},
        {"layer",
                0,
                OPTION_TEXTS,
                "NODE:DIR",
                "nspawn: a folder that is laid over one machine's image",
                offsetof(RehearseOptions, layers)},
        {"s3",
                0,
                OPTION_TEXT,
                "URL/BUCKET",
                "a real server, http://ADDRESS:PORT, and this environment's credentials",
                offsetof(RehearseOptions, s3)},
        {"hold",
                0,
                OPTION_FLAG,
                NULL,
                "keep the machines running behind the stack's end, until Ctrl-C",
                offsetof(RehearseOptions, hold)},
        {"disable-rollback",
                0,
                OPTION_FLAG,
                NULL,
                "leave a failed stack as it is",
                offsetof(RehearseOptions, disable_rollback)},
        {"keep",
                0,
                OPTION_FLAG,
                NULL,
                "leave the machines' folders behind",
                offsetof(RehearseOptions, keep)},
        {"quiet",
                'q',
                OPTION_FLAG,
                NULL,
                "events alone, not what the machines say",
                offsetof(RehearseOptions, quiet)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(RehearseOptions, help)},
};

const CommandLine rehearse_options_line = {
        .program = "flocker-rehearsal",
        .operands = "[TEMPLATE]",
        .description = "Runs a CloudFormation template (JSON, or YAML with its short tags) on this "
                       "machine;\nwithout one, what flocker-template create prints. Ends with 0 if "
                       "the stack is\ncomplete, 1 if it has failed.",
        .options = options,
        .n_options = ELEMENTS(options),
        .max_operands = 1,
};

CommandParsed rehearse_options_parse(
        RehearseOptions *asked, int argc, char *argv[], int *ret_status)
{
        int operands;

        *asked = (RehearseOptions){
                .agents = 2,
                .stack_name = PROJECT,
                .keys_lifetime = KEYS_LIFETIME,
        };
        if (command_parse(&rehearse_options_line,
                    argc,
                    argv,
                    asked,
                    &asked->help,
                    &operands,
                    ret_status) == COMMAND_END)
                return COMMAND_END;
        asked->template_path = operands < argc ? argv[operands] : NULL;
        return COMMAND_GO_ON;
}

/* What would be found wrong at the end only. Machines run elsewhere: they get a whole path. */
static int check_paths(RehearseOptions *asked, Error *ret_error)
{
        if (asked->keys && !realpath(asked->keys, asked->keys_path))
                return error_set(ret_error, -errno, "cannot use '--keys=%s': %m", asked->keys);
        if (asked->timeline) {
                _cleanup_(free) char *copy = text_copy(asked->timeline);

                if (!copy || access(dirname(copy), W_OK) < 0)
                        return error_set(ret_error,
                                -errno,
                                "cannot use '--timeline=%s': %m",
                                asked->timeline);
        }
        return 0;
}

static int read_layers(RehearseOptions *asked, Error *ret_error)
{
        const OptionTexts *texts = &asked->layers;
        int r = 0;

        if (texts->count > MACHINES_LAYERS_MAX)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use --layer more than %u times",
                        MACHINES_LAYERS_MAX);
        for (size_t i = 0; i < texts->count && r == 0; i++)
                r = machines_parse_layer(texts->texts[i], &asked->parsed_layers[i], ret_error);
        return r;
}

/* Containers are asked for: what they need, and what they cannot have. */
static int read_machines(RehearseOptions *asked, Error *ret_error)
{
        if (asked->machines != MACHINES_NSPAWN)
                return asked->image || asked->layers.count > 0
                               ? error_set(ret_error,
                                         -EINVAL,
                                         "cannot use --image and --layer without --machines=nspawn")
                               : 0;
        if (geteuid() != 0)
                return error_set(ret_error,
                        -EPERM,
                        "cannot use --machines=nspawn: containers, their network and their mounts "
                        "take root");
        if (!asked->image)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use --machines=nspawn without --image=DIR, the machines' root file "
                        "system: tests/e2e/prepare makes one");
        if (asked->keys)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use --keys with --machines=nspawn: the machines run what their "
                        "image holds, as it stands");
        for (size_t i = 0; i < asked->fault_set.count; i++)
                if (asked->fault_set.rules[i].service == FAULT_OF_NODE)
                        return error_set(ret_error,
                                -EINVAL,
                                "cannot use '--fault=%s' with --machines=nspawn: the machines run "
                                "what their image holds, as it stands; faults of services are "
                                "possible",
                                asked->fault_set.rules[i].text);
        asked->containers = (MachinesOptions){
                .image = asked->image,
                .layers = asked->parsed_layers,
                .n_layers = asked->layers.count,
        };
        return read_layers(asked, ret_error);
}

int rehearse_options_check(RehearseOptions *asked, Error *ret_error)
{
        int r = check_paths(asked, ret_error);

        if (r == 0)
                r = fault_read(&asked->fault_set, &asked->faults, asked->faults_file, ret_error);
        return r < 0 ? r : read_machines(asked, ret_error);
}
