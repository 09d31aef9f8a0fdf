#include "agent/creation.h"

#include "agent/certs.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "certs/docker.h"
#include "certs/flocker.h"
#include "certs/given.h"
#include "certs/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CREW_MAX     16U
#define KEY_DEADLINE (10 * USEC_PER_MINUTE) /* for one key: far beyond the slowest machine */

typedef struct Creation {
        const CreationOrder *order;
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

        return r < 0 ? error_prefix(creation->ret_error, r, "in '%s'", creation->order->out) : 0;
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
        const char *address = creation->order->control;
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
static size_t count_members(const CreationOrder *order)
{
        return 2 + 2 * (size_t)order->agents;
}

static int create_member(Creation *creation, const Pair *authority, size_t index)
{
        const char *name = creation->order->user;
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

                if (index >= count_members(mine.order))
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
                r = flocker_make_authority(creation->order->cluster,
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
        const char *const names[] = {creation->order->control, NULL};
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
        KeyKind kind = (KeyKind)creation->order->docker_key;
        _cleanup_(pair_done) Pair authority = {};
        Key *key;
        int r;

        r = make_folder(creation, "docker");
        if (r == 0)
                r = take_key(creation, kind, &key);
        if (r == 0)
                r = docker_make_authority(creation->order->cluster,
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
        switch (creation->order->components) {
        case COMPONENTS_FLOCKER:
                return create_flocker(creation);
        case COMPONENTS_DOCKER:
                return create_docker(creation);
        default:
                return create_both(creation);
        }
}

/* How many keys of each kind the set takes: 3 of Flocker's and 2 for each agent, 3 of Docker's. */
static void count_keys(const CreationOrder *order, size_t ret[_KEY_KINDS])
{
        if (order->components != COMPONENTS_DOCKER)
                ret[KEY_RSA_4096] += 3 + 2 * (size_t)order->agents;
        if (order->components != COMPONENTS_FLOCKER)
                ret[order->docker_key] += 3;
}

static int start_keys(Creation *creation)
{
        const CreationOrder *order = creation->order;
        size_t wanted[_KEY_KINDS] = {};
        int r;

        count_keys(order, wanted);
        r = key_pool_new((unsigned)order->threads, &creation->pool, creation->ret_error);
        if (r == 0)
                interrupt_begin(creation->interrupt, creation->pool);
        if (r == 0 && order->keys)
                r = given_keys_load(order->keys, wanted, creation->pool, creation->ret_error);
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

int creation_make(const CreationOrder *order, Interrupt *interrupt, Error *ret_error)
{
        atomic_size_t keys_done = 0;
        _cleanup_(creation_done) Creation creation = {
                .order = order,
                .interrupt = interrupt,
                .folder = FOLDER_REPLACEMENT_INIT,
                .started = clock_now(&clock_system),
                .wall = clock_wall(&clock_system),
                .keys_done = &keys_done,
                .terminal = isatty(STDERR_FILENO) == 1,
                .ret_error = ret_error,
        };
        int r;

        r = check_out(order->out, ret_error);
        if (r == 0)
                r = certificate_check_clock(creation.wall, ret_error);
        if (r == 0 && order->passphrase_file)
                r = certs_read_passphrase(order->passphrase_file, &creation.passphrase, ret_error);
        if (r == 0)
                r = folder_replacement_begin(AT_FDCWD, order->out, &creation.folder, ret_error);
        creation.folder.files_durable = true; /* each thread waits for its own */
        if (r == 0)
                r = start_keys(&creation);
        if (r == 0)
                r = create_components(&creation);
        if (r < 0)
                return r;
        return folder_replacement_commit(&creation.folder, NULL, ret_error);
}
