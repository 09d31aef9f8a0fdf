/* certs create: the complete set of a cluster, as flocker-ca and the Docker steps made it.
 *
 *         flocker/{cluster.crt, cluster.key}
 *         flocker/{control-<host>.crt, control-<host>.key, <user>.crt, <user>.key}
 *         flocker/nodes/<n>/{<uuid>.crt, <uuid>.key, plugin.crt, plugin.key}
 *         docker/{ca.pem, ca-key.pem}
 *         docker/{control, client}/{ca.pem, cert.pem, key.pem}
 *
 * Nodes count from 1: control is node 0, and uses no certificate of a node.
 */

#include "agent/certs.h"
#include "agent/interrupt.h"
#include "base/command.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "certs/docker.h"
#include "certs/flocker.h"
#include "certs/given.h"
#include "certs/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define AGENTS_MAX   1000
#define CREW_MAX     16U
#define USER_MAX     50U
#define KEY_DEADLINE (10 * USEC_PER_MINUTE) /* for one key: far beyond the slowest machine */

enum { COMPONENTS_ALL, COMPONENTS_FLOCKER, COMPONENTS_DOCKER };
static const char *const component_names[] = {"flocker,docker", "flocker", "docker", NULL};

typedef struct Arguments {
        const char *cluster, *control, *out, *user, *keys, *passphrase_file;
        int64_t agents, threads;
        int docker_key, components;
        bool help;
} Arguments;

static const Option options[] = {
        {"cluster",
                0,
                OPTION_TEXT,
                "NAME",
                "the cluster's name",
                offsetof(Arguments, cluster),
                .required = true},
        {"control",
                0,
                OPTION_TEXT,
                "ADDRESS",
                "the control node's IP address or DNS name",
                offsetof(Arguments, control),
                .required = true},
        {"agents",
                0,
                OPTION_INT,
                "N",
                "how many agent nodes, 0 to 1000",
                offsetof(Arguments, agents),
                .max = AGENTS_MAX,
                .required = true},
        {"out",
                0,
                OPTION_TEXT,
                "DIR",
                "the folder to make",
                offsetof(Arguments, out),
                .required = true},
        {"user", 0, OPTION_TEXT, "NAME", "the Flocker API user (user1)", offsetof(Arguments, user)},
        {"components",
                0,
                OPTION_CHOICE,
                "LIST",
                "flocker,docker (both), flocker, or docker",
                offsetof(Arguments, components),
                .choices = component_names},
        {"docker-key",
                0,
                OPTION_CHOICE,
                "KIND",
                "ecdsa-p256 (that) or rsa-4096",
                offsetof(Arguments, docker_key),
                .choices = key_kind_names},
        {"ca-passphrase-file",
                0,
                OPTION_TEXT,
                "FILE",
                "encrypt the authorities' keys with its first line",
                offsetof(Arguments, passphrase_file)},
        {"keys",
                0,
                OPTION_TEXT,
                "DIR",
                "use the PEM keys in DIR, each once, and make none",
                offsetof(Arguments, keys)},
        {"threads",
                0,
                OPTION_INT,
                "N",
                "make keys on N threads (one a core)",
                offsetof(Arguments, threads),
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

typedef struct Creation {
        const Arguments *arguments;
        Interrupt *interrupt;
        Secret *passphrase; /* NULL: none */
        KeyPool *pool;
        FolderReplacement folder;
        Usec started, wall;
        size_t keys_wanted;
        atomic_size_t *keys_done;
        bool terminal;
        Error *ret_error;
} Creation;

static void creation_done(Creation *creation)
{
        if (creation->terminal && atomic_load(creation->keys_done) > 0)
                (void)fprintf(stderr, "\r\x1B[K");
        interrupt_end(creation->interrupt);
        creation->pool = key_pool_free(creation->pool);
        folder_replacement_done(&creation->folder);
        creation->passphrase = secret_free(creation->passphrase);
}
DEFINE_CLEANUP_IN_PLACE(Creation, creation_done);

static void report_key(Creation *creation, const char *path)
{
        size_t done = atomic_fetch_add(creation->keys_done, 1) + 1;
        char span[CLOCK_SPAN_MAX];

        (void)clock_format_span(clock_now(&clock_system) - creation->started, span);
        if (creation->terminal)
                (void)fprintf(stderr,
                        "\r\x1B[Kkey %zu of %zu after %s: %s",
                        done,
                        creation->keys_wanted,
                        span,
                        path);
        else
                (void)fprintf(stderr, "made %s (%s)\n", path, span);
}

static int take_key(Creation *creation, KeyKind kind, Key **ret)
{
        return key_pool_take(creation->pool,
                kind,
                clock_deadline(&clock_system, KEY_DEADLINE),
                ret,
                creation->ret_error);
}

/* The sentence names the set, too: the path is below it. */
static int write_file(Creation *creation, const char *path, const char *data, size_t size)
{
        int r = file_create_durable(
                creation->folder.staging_fd, path, data, size, 0600, creation->ret_error);

        return r < 0 ? error_prefix(creation->ret_error, r, "in '%s'", creation->arguments->out)
                     : 0;
}

static int write_certificate(Creation *creation, const char *path, const Certificate *certificate)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        int r;

        r = certificate_format(certificate, &pem, creation->ret_error);
        return r < 0 ? r : write_file(creation, path, buffer_text(&pem), pem.size);
}

/* <folder>/<name><certificate suffix> and <folder>/<key name>. */
static int write_pair(Creation *creation,
        const char *certificate_path,
        const char *key_path,
        const Secret *passphrase,
        const Pair *pair)
{
        _cleanup_(secret_free) Secret *key = NULL;
        int r;

        r = write_certificate(creation, certificate_path, pair->certificate);
        if (r == 0)
                r = key_format(pair->key, passphrase, &key, creation->ret_error);
        if (r == 0)
                r = write_file(creation, key_path, secret_data(key), secret_size(key));
        if (r < 0)
                return r;

        report_key(creation, certificate_path);
        return 0;
}

/* As flocker-ca names them: <path>.crt, <path>.key. */
static int write_flocker_pair(
        Creation *creation, const char *path, const Secret *passphrase, const Pair *pair)
{
        _cleanup_(free) char *certificate = text_format("%s.crt", path);
        _cleanup_(free) char *key = text_format("%s.key", path);

        if (!certificate || !key)
                return error_set(creation->ret_error, -ENOMEM, "cannot write '%s': %m", path);
        return write_pair(creation, certificate, key, passphrase, pair);
}

static int make_folder(Creation *creation, const char *path)
{
        return folder_make(creation->folder.staging_fd, path, 0700, creation->ret_error);
}

static int create_control(Creation *creation, const Pair *authority)
{
        const char *address = creation->arguments->control;
        _cleanup_(free) char *path = text_format("flocker/control-%s", address);
        _cleanup_(pair_done) Pair pair = {};
        Key *key;
        int r;

        r = path ? take_key(creation, KEY_RSA_4096, &key) : -ENOMEM;
        if (r == 0)
                r = flocker_make_control(
                        authority, address, key, creation->wall, &pair, creation->ret_error);
        return r < 0 ? r : write_flocker_pair(creation, path, NULL, &pair);
}

static int create_user(
        Creation *creation, const Pair *authority, const char *name, const char *path)
{
        _cleanup_(pair_done) Pair pair = {};
        Key *key;
        int r;

        r = take_key(creation, KEY_RSA_4096, &key);
        if (r == 0)
                r = flocker_make_user(
                        authority, name, key, creation->wall, &pair, creation->ret_error);
        return r < 0 ? r : write_flocker_pair(creation, path, NULL, &pair);
}

static int create_node(Creation *creation, const Pair *authority, const char *folder)
{
        char path[128], uuid[FLOCKER_UUID_SIZE];
        _cleanup_(pair_done) Pair pair = {};
        Key *key;
        int r;

        r = take_key(creation, KEY_RSA_4096, &key);
        if (r == 0)
                r = flocker_make_node(
                        authority, key, creation->wall, uuid, &pair, creation->ret_error);
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, uuid);
        return write_flocker_pair(creation, path, NULL, &pair);
}

/* Everything that the cluster's authority certifies: control, the user, and for each agent its node
 * and its plugin. */
static size_t count_members(const Arguments *arguments)
{
        return 2 + 2 * (size_t)arguments->agents;
}

static int create_member(Creation *creation, const Pair *authority, size_t index)
{
        const char *name = creation->arguments->user;
        char folder[64], path[128];
        int r;

        if (index == 0)
                return create_control(creation, authority);
        if (index == 1) {
                (void)snprintf(path, sizeof(path), "flocker/%s", name);
                return create_user(creation, authority, name, path);
        }

        (void)snprintf(folder, sizeof(folder), "flocker/nodes/%zu", index / 2);
        r = make_folder(creation, folder);
        if (r < 0)
                return r;
        if (index % 2 == 0)
                return create_node(creation, authority, folder);
        (void)snprintf(path, sizeof(path), "%s/plugin", folder);
        return create_user(creation, authority, "plugin", path);
}

/* A signature with an RSA key of 4096 bits is milliseconds of a core: members are made side by
 * side. */
typedef struct Crew {
        const Creation *creation;
        const Pair *authority;
        atomic_size_t next;
        atomic_int failure; /* of the first that failed; 0: none */
        Error error;
} Crew;

static void *work(void *userdata)
{
        Crew *crew = userdata;
        Creation mine = *crew->creation;
        Error error = ERROR_INIT;

        mine.ret_error = &error;
        while (atomic_load(&crew->failure) == 0) {
                size_t index = atomic_fetch_add(&crew->next, 1);
                int none = 0, r;

                if (index >= count_members(mine.arguments))
                        break;
                r = create_member(&mine, crew->authority, index);
                if (r < 0 && atomic_compare_exchange_strong(&crew->failure, &none, r))
                        crew->error = error;
        }
        return NULL;
}

static int create_members(Creation *creation, const Pair *authority)
{
        Crew crew = {.creation = creation, .authority = authority};
        pthread_t threads[CREW_MAX - 1];
        size_t started = 0, wanted = (size_t)sysconf(_SC_NPROCESSORS_ONLN);

        /* One more than there are cores: one will wait for the disk. */
        while (started < wanted && started < ELEMENTS(threads) &&
                pthread_create(&threads[started], NULL, work, &crew) == 0)
                started++;
        (void)work(&crew);
        for (size_t i = 0; i < started; i++)
                (void)pthread_join(threads[i], NULL);

        if (crew.failure < 0)
                return error_set(creation->ret_error, crew.failure, "%s", crew.error.text);
        return 0;
}

static int create_flocker(Creation *creation)
{
        _cleanup_(pair_done) Pair authority = {};
        Key *key;
        int r;

        r = make_folder(creation, "flocker/nodes");
        if (r == 0)
                r = take_key(creation, KEY_RSA_4096, &key);
        if (r == 0)
                r = flocker_make_authority(creation->arguments->cluster,
                        key,
                        creation->wall,
                        &authority,
                        creation->ret_error);
        if (r == 0)
                r = write_flocker_pair(
                        creation, "flocker/cluster", creation->passphrase, &authority);
        return r < 0 ? r : create_members(creation, &authority);
}

static int write_docker_pair(
        Creation *creation, const char *folder, const Pair *authority, const Pair *pair)
{
        char certificate[64], key[64], ca[64];
        int r;

        (void)snprintf(certificate, sizeof(certificate), "%s/cert.pem", folder);
        (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
        (void)snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
        r = make_folder(creation, folder);
        if (r == 0)
                r = write_certificate(creation, ca, authority->certificate);
        return r < 0 ? r : write_pair(creation, certificate, key, NULL, pair);
}

static int create_docker_leaves(Creation *creation, const Pair *authority, KeyKind kind)
{
        const char *const names[] = {creation->arguments->control, NULL};
        _cleanup_(pair_done) Pair control = {}, client = {};
        Key *key;
        int r;

        r = take_key(creation, kind, &key);
        if (r == 0)
                r = docker_make_node(
                        authority, names, key, creation->wall, &control, creation->ret_error);
        if (r == 0)
                r = write_docker_pair(creation, "docker/control", authority, &control);
        if (r == 0)
                r = take_key(creation, kind, &key);
        if (r == 0)
                r = docker_make_client(
                        authority, key, creation->wall, &client, creation->ret_error);
        return r < 0 ? r : write_docker_pair(creation, "docker/client", authority, &client);
}

static int create_docker(Creation *creation)
{
        KeyKind kind = (KeyKind)creation->arguments->docker_key;
        _cleanup_(pair_done) Pair authority = {};
        Key *key;
        int r;

        r = make_folder(creation, "docker");
        if (r == 0)
                r = take_key(creation, kind, &key);
        if (r == 0)
                r = docker_make_authority(creation->arguments->cluster,
                        key,
                        creation->wall,
                        &authority,
                        creation->ret_error);
        if (r == 0)
                r = write_pair(creation,
                        "docker/ca.pem",
                        "docker/ca-key.pem",
                        creation->passphrase,
                        &authority);
        return r < 0 ? r : create_docker_leaves(creation, &authority, kind);
}

/* Docker's part in a thread of its own, while Flocker's authority is made. */
typedef struct DockerWork {
        Creation creation;
        Error error;
        int result;
} DockerWork;

static void *work_on_docker(void *userdata)
{
        DockerWork *docker = userdata;

        docker->creation.ret_error = &docker->error;
        docker->result = create_docker(&docker->creation);
        return NULL;
}

static int create_both(Creation *creation)
{
        DockerWork docker = {.creation = *creation};
        pthread_t thread;
        int r;

        if (pthread_create(&thread, NULL, work_on_docker, &docker) != 0) {
                r = create_docker(creation);
                return r < 0 ? r : create_flocker(creation);
        }
        r = create_flocker(creation);
        (void)pthread_join(thread, NULL);
        if (r == 0 && docker.result < 0)
                r = error_set(creation->ret_error, docker.result, "%s", docker.error.text);
        return r;
}

static int create_components(Creation *creation)
{
        switch (creation->arguments->components) {
        case COMPONENTS_FLOCKER:
                return create_flocker(creation);
        case COMPONENTS_DOCKER:
                return create_docker(creation);
        default:
                return create_both(creation);
        }
}

/* How many keys of each kind the set takes: 3 of Flocker's and 2 for each agent, 3 of Docker's. */
static void count_keys(const Arguments *arguments, size_t ret[_KEY_KINDS])
{
        if (arguments->components != COMPONENTS_DOCKER)
                ret[KEY_RSA_4096] += 3 + 2 * (size_t)arguments->agents;
        if (arguments->components != COMPONENTS_FLOCKER)
                ret[arguments->docker_key] += 3;
}

static int start_keys(Creation *creation)
{
        const Arguments *arguments = creation->arguments;
        size_t wanted[_KEY_KINDS] = {};
        int r;

        count_keys(arguments, wanted);
        r = key_pool_new((unsigned)arguments->threads, &creation->pool, creation->ret_error);
        if (r == 0)
                interrupt_begin(creation->interrupt, creation->pool);
        if (r == 0 && arguments->keys)
                r = given_keys_load(arguments->keys, wanted, creation->pool, creation->ret_error);
        for (size_t kind = 0; kind < _KEY_KINDS && r == 0; kind++) {
                creation->keys_wanted += wanted[kind];
                r = key_pool_request(
                        creation->pool, (KeyKind)kind, wanted[kind], creation->ret_error);
        }
        return r;
}

static int refuse_entry(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        (void)folder_fd;
        (void)userdata;
        (void)name;
        (void)ret_error;
        return -EEXIST;
}

/* A folder with something in it is not ours to replace; an empty one, or none, is. */
static int check_out(const char *path, Error *ret_error)
{
        int r = folder_list(AT_FDCWD, path, 1, refuse_entry, NULL, ret_error);

        if (r == -ENOENT)
                return 0;
        if (r == -EEXIST || r == -EFBIG)
                return error_set(ret_error,
                        -EEXIST,
                        "cannot make '%s': it is there and not empty; name another folder, or move "
                        "it away",
                        path);
        return r;
}

static int create(const Arguments *arguments, Interrupt *interrupt, Error *ret_error)
{
        atomic_size_t keys_done = 0;
        _cleanup_(creation_done) Creation creation = {
                .arguments = arguments,
                .interrupt = interrupt,
                .folder = FOLDER_REPLACEMENT_INIT,
                .started = clock_now(&clock_system),
                .wall = clock_wall(&clock_system),
                .keys_done = &keys_done,
                .terminal = isatty(STDERR_FILENO) == 1,
                .ret_error = ret_error,
        };
        int r;

        r = check_out(arguments->out, ret_error);
        if (r == 0)
                r = certificate_check_clock(creation.wall, ret_error);
        if (r == 0 && arguments->passphrase_file)
                r = certs_read_passphrase(
                        arguments->passphrase_file, &creation.passphrase, ret_error);
        if (r == 0)
                r = folder_replacement_begin(AT_FDCWD, arguments->out, &creation.folder, ret_error);
        creation.folder.files_durable = true; /* each thread waits for its own */
        if (r == 0)
                r = start_keys(&creation);
        if (r == 0)
                r = create_components(&creation);
        if (r < 0)
                return r;
        return folder_replacement_commit(&creation.folder, NULL, ret_error);
}

static void print_result(const Arguments *arguments)
{
        const char *out = arguments->out;

        printf("made %s for cluster '%s', its control node %s and %" PRId64 " agent%s\n",
                out,
                arguments->cluster,
                arguments->control,
                arguments->agents,
                arguments->agents == 1 ? "" : "s");
        if (arguments->components != COMPONENTS_DOCKER)
                printf("  to /etc/flocker of control:   %1$s/flocker/cluster.crt, and "
                       "control-%2$s.* "
                       "as control-service.*\n"
                       "  to /etc/flocker of agent n:   %1$s/flocker/cluster.crt, and of nodes/n "
                       "plugin.*, and <uuid>.* as node.*\n"
                       "  to /etc/flocker of clients:   %1$s/flocker/cluster.crt and %3$s.*\n",
                        out,
                        arguments->control,
                        arguments->user);
        if (arguments->components != COMPONENTS_FLOCKER)
                printf("  to /root/.docker of control:  %1$s/docker/control/*\n"
                       "  to ~/.docker of clients:      %1$s/docker/client/*\n",
                        out);
        printf("  keep here, and safe:          the authorities' keys\n"
               "judge it with: flocker-bootstrap certs verify %s\n",
                out);
}

/* All that can be known to be wrong before a key is made. A name that becomes a file's has no slash
 * and no leading dot, and is none that another file has. */
static int check_names(const Arguments *arguments, Error *ret_error)
{
        const char *user = arguments->user;
        int r;

        if (strchr(arguments->control, '/') || arguments->control[0] == '.')
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--control=%s': expected an IP address or a DNS name",
                        arguments->control);
        if (strchr(user, '/') || user[0] == '.' || text_equal(user, "cluster") ||
                text_starts(user, "control-") || strlen(user) > USER_MAX)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--user=%s': expected a name of 1 to %u characters without a "
                        "slash, not 'cluster' and not 'control-…'",
                        user,
                        USER_MAX);

        r = certificate_check_name(arguments->control, ret_error);
        if (r == 0)
                r = certificate_check_subject(arguments->cluster, ret_error);
        if (r == 0)
                r = certificate_check_subject(user, ret_error);
        return r;
}

int certs_create(int argc, char *argv[])
{
        Arguments arguments = {.user = "user1", .docker_key = KEY_ECDSA_P256};
        Interrupt interrupt = {};
        Error error = ERROR_INIT;
        int operand, status, r;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operand, &status) ==
                COMMAND_END)
                return status;

        r = check_names(&arguments, &error);
        if (r == 0)
                r = create(&arguments, &interrupt, &error);
        if (r == -ECANCELED)
                (void)error_set(&error,
                        r,
                        "cannot make '%s': interrupted; nothing of it is left",
                        arguments.out);
        if (r < 0) {
                status = command_fail(&line, r, &error);
                interrupt_obey(&interrupt);
                return status;
        }
        print_result(&arguments);
        return EX_OK;
}
