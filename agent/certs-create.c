/* certs create: the command; agent/creation.c makes the set. */

#include "agent/certs.h"
#include "agent/creation.h"
#include "base/command.h"
#include "base/text.h"
#include "certs/certificate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define USER_MAX 50U

static const char *const component_names[] = {"flocker,docker", "flocker", "docker", NULL};

typedef struct Arguments {
        CreationOrder order;
        bool help;
} Arguments;

static const Option options[] = {
        {"cluster",
                0,
                OPTION_TEXT,
                "NAME",
                "the cluster's name",
                offsetof(Arguments, order.cluster),
                .required = true},
        {"control",
                0,
                OPTION_TEXT,
                "ADDRESS",
                "the control node's IP address or DNS name",
                offsetof(Arguments, order.control),
                .required = true},
        {"agents",
                0,
                OPTION_INT,
                "N",
                "how many agent nodes, 0 to 1000",
                offsetof(Arguments, order.agents),
                .max = CREATION_AGENTS_MAX,
                .required = true},
        {"out",
                0,
                OPTION_TEXT,
                "DIR",
                "the folder to make",
                offsetof(Arguments, order.out),
                .required = true},
        {"user",
                0,
                OPTION_TEXT,
                "NAME",
                "the Flocker API user (user1)",
                offsetof(Arguments, order.user)},
        {"components",
                0,
                OPTION_CHOICE,
                "LIST",
                "flocker,docker (both), flocker, or docker",
                offsetof(Arguments, order.components),
                .choices = component_names},
        {"docker-key",
                0,
                OPTION_CHOICE,
                "KIND",
                "ecdsa-p256 (that) or rsa-4096",
                offsetof(Arguments, order.docker_key),
                .choices = key_kind_names},
        {"ca-passphrase-file",
                0,
                OPTION_TEXT,
                "FILE",
                "encrypt the authorities' keys with its first line",
                offsetof(Arguments, order.passphrase_file)},
        {"keys",
                0,
                OPTION_TEXT,
                "DIR",
                "use the PEM keys in DIR, each once, and make none",
                offsetof(Arguments, order.keys)},
        {"threads",
                0,
                OPTION_INT,
                "N",
                "make keys on N threads (one a core)",
                offsetof(Arguments, order.threads),
                .max = KEY_POOL_THREADS_MAX},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-bootstrap certs create",
        .description =
                "Makes the certificates and keys of a cluster in a folder that is not there yet:\n"
                "the Flocker and Docker authorities, the control service, each agent, the API\n"
                "user, the Docker client. It is there whole or not at all.",
        .options = options,
        .n_options = ELEMENTS(options),
};

static void print_result(const CreationOrder *order)
{
        const char *out = order->out;

        printf("made %s for cluster '%s', its control node %s and %" PRId64 " agent%s\n",
                out,
                order->cluster,
                order->control,
                order->agents,
                order->agents == 1 ? "" : "s");
        if (order->components != COMPONENTS_DOCKER)
                printf("  to /etc/flocker of control:   %1$s/flocker/cluster.crt, and "
                       "control-%2$s.* "
                       "as control-service.*\n"
                       "  to /etc/flocker of agent n:   %1$s/flocker/cluster.crt, and of nodes/n "
                       "plugin.*, and <uuid>.* as node.*\n"
                       "  to /etc/flocker of clients:   %1$s/flocker/cluster.crt and %3$s.*\n",
                        out,
                        order->control,
                        order->user);
        if (order->components != COMPONENTS_FLOCKER)
                printf("  to /root/.docker of control:  %1$s/docker/control/*\n"
                       "  to ~/.docker of clients:      %1$s/docker/client/*\n",
                        out);
        printf("  keep here, and safe:          the authorities' keys\n"
               "judge it with: flocker-bootstrap certs verify %s\n",
                out);
}

/* All that can be known to be wrong before a key is made. A name that becomes a file's has no slash
 * and no leading dot, and is none that another file has. */
static int check_names(const CreationOrder *order, Error *ret_error)
{
        const char *user = order->user;
        int r;

        if (strchr(order->control, '/') || order->control[0] == '.')
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--control=%s': expected an IP address or a DNS name",
                        order->control);
        if (strchr(user, '/') || user[0] == '.' || text_equal(user, "cluster") ||
                text_starts(user, "control-") || strlen(user) > USER_MAX)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--user=%s': expected a name of 1 to %u characters without a "
                        "slash, not 'cluster' and not 'control-…'",
                        user,
                        USER_MAX);

        r = certificate_check_name(order->control, ret_error);
        if (r == 0)
                r = certificate_check_subject(order->cluster, ret_error);
        if (r == 0)
                r = certificate_check_subject(user, ret_error);
        return r;
}

int certs_create(int argc, char *argv[])
{
        Arguments arguments = {.order = {.user = "user1", .docker_key = KEY_ECDSA_P256}};
        Interrupt interrupt = {};
        Error error = ERROR_INIT;
        int operand, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operand, &status) ==
                COMMAND_END)
                return status;

        r = check_names(&arguments.order, &error);
        if (r == 0)
                r = creation_make(&arguments.order, &interrupt, &error);
        if (r == -ECANCELED)
                (void)error_set(&error,
                        r,
                        "cannot make '%s': interrupted; nothing of it is left",
                        arguments.order.out);
        if (r < 0) {
                status = command_fail(&line, r, &error);
                interrupt_obey(&interrupt);
                return status;
        }
        print_result(&arguments.order);
        return EX_OK;
}
