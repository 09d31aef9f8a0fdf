#include "rehearsal/instance.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/random.h"
#include "base/text.h"
#include "rehearsal/container.h"
#include "rehearsal/metadata.h"
#include "rehearsal/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT      "var/lib/cloud/instance/scripts/part-001"
#define OUTPUT      "var/log/cloud-init-output.log"
#define UNITS       "usr/lib/systemd/system/"
#define WANTS       "etc/systemd/system/multi-user.target.wants/"
#define WORDS_MAX   32U
#define ENVIRONMENT 5U

struct Instance {
        InstanceOptions options;
        char *name, *root, *address, *user_data, *fault, *keys, *bootstrap;
        char *environment[ENVIRONMENT + 1]; /* NULL-ended */
        char id[24];
        bool of_machines; /* made by instance_new_like() */
        Usec launched;
        MetadataHost *metadata;
        Container *container; /* instead of what follows; NULL: a process tree */
        SystemdHost *systemd;
        EventChild *child;
        EventReader *reader; /* of what it prints */
        int output, log;     /* the pipe's end that is read; where it is written */
        Buffer line;         /* that has no end yet */
};

/* What a machine image of ours has. */
static const struct {
        const char *path, *text;
} image_files[] = {
        {"etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\n"
                "ubuntu:x:1000:1000:Ubuntu:/home/ubuntu:/bin/bash\n"},
        {"etc/os-release", "ID=rehearsal\nPRETTY_NAME=\"A machine of a rehearsal\"\n"},
        {"etc/docker/key.json", "{}\n"},
        {UNITS "docker.service",
                "[Unit]\nDescription=Docker Application Container Engine\n"
                "After=network-online.target docker.socket containerd.service\n"
                "[Service]\nType=notify\n"
                "ExecStart=/usr/sbin/dockerd -H fd:// "
                "--containerd=/run/containerd/containerd.sock $DOCKER_OPTS\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "docker.socket",
                "[Unit]\nDescription=Docker Socket for the API\n"
                "[Socket]\nListenStream=/run/docker.sock\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "containerd.service",
                "[Unit]\nDescription=containerd container runtime\n"
                "[Service]\nType=notify\nExecStart=/usr/bin/containerd\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "flocker-control.service",
                "[Unit]\nDescription=Flocker Control Service\n"
                "[Service]\nExecStart=/usr/sbin/flocker-control -p tcp:4523 -a tcp:4524\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "flocker-dataset-agent.service",
                "[Unit]\nDescription=Flocker Dataset Agent\n"
                "[Service]\nExecStart=/usr/sbin/flocker-dataset-agent --logfile=/dev/null\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "flocker-container-agent.service",
                "[Unit]\nDescription=Flocker Container Agent\n"
                "[Service]\nExecStart=/usr/sbin/flocker-container-agent --logfile=/dev/null\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "flocker-docker-plugin.service",
                "[Unit]\nDescription=Flocker Docker Plugin\n"
                "[Service]\nExecStart=/usr/sbin/flocker-docker-plugin --logfile=/dev/null\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "flocker-bootstrap-members.service",
                "[Unit]\nDescription=Members of the classic Swarm\nAfter=docker.service\n"
                "[Service]\nType=notify\nExecStart=/usr/bin/flocker-bootstrap members follow\n"
                "[Install]\nWantedBy=multi-user.target\n"},
        {UNITS "cloud-final.service",
                "[Unit]\nDescription=Execute cloud user/final scripts\n"
                "[Service]\nType=oneshot\nExecStart=/usr/bin/cloud-init modules --mode=final\n"},
        {UNITS "cloud-init.target",
                "[Unit]\nDescription=Cloud-init target\nAfter=cloud-final.service\n"},
};

/* What it has enabled. */
static const char *const enabled[] = {"docker.service", "docker.socket", "containerd.service"};

static const char *const folders[] = {
        "run/dbus",
        "var/log",
        "var/lib/cloud/instance/scripts",
        "etc/docker",
        "root",
        "home/ubuntu",
        UNITS,
        WANTS,
};

static int make_image(const Instance *instance, int root_fd, Error *ret_error)
{
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(folders) && r == 0; i++)
                r = folder_make(root_fd, folders[i], 0755, ret_error);
        for (size_t i = 0; i < ELEMENTS(image_files) && r == 0; i++)
                r = file_write_atomic(root_fd,
                        image_files[i].path,
                        image_files[i].text,
                        strlen(image_files[i].text),
                        0644,
                        ret_error);
        for (size_t i = 0; i < ELEMENTS(enabled) && r == 0; i++) {
                _cleanup_(free) char *to = text_format("/" UNITS "%s", enabled[i]);
                _cleanup_(free) char *link = text_format(WANTS "%s", enabled[i]);

                if (!to || !link || (symlinkat(to, root_fd, link) < 0 && errno != EEXIST))
                        r = error_set(ret_error, -errno, "cannot make '%s': %m", instance->root);
        }
        if (r == 0 && symlinkat("../run", root_fd, "var/run") < 0 && errno != EEXIST)
                r = error_set(ret_error, -errno, "cannot make '%s': %m", instance->root);
        if (r == 0 && instance->user_data)
                r = file_write_atomic(root_fd,
                        SCRIPT,
                        instance->user_data,
                        strlen(instance->user_data),
                        0700,
                        ret_error);
        return r;
}

/* Each whole line is told; all goes to the log. */
static void take_output(Instance *instance, const char *data, size_t size)
{
        (void)!write(instance->log, data, size);
        for (size_t i = 0; i < size; i++) {
                if (data[i] != '\n') {
                        (void)buffer_append(&instance->line, data + i, 1);
                        continue;
                }
                instance->options.said(buffer_text(&instance->line), instance->options.userdata);
                buffer_clear(&instance->line);
        }
}

static void on_output(void *userdata)
{
        Instance *instance = userdata;
        char data[4096];
        ssize_t size;

        while ((size = read(instance->output, data, sizeof(data))) > 0)
                take_output(instance, data, (size_t)size);
        if (size == 0)
                instance->reader = event_reader_free(instance->reader);
}

static void forget_child(Instance *instance)
{
        instance->child = event_child_free(instance->child);
        instance->reader = event_reader_free(instance->reader);
        close_p(&instance->output);
        close_p(&instance->log);
}

static void on_child_exit(int status, void *userdata)
{
        Instance *instance = userdata;

        on_output(instance); /* what is left in the pipe */
        forget_child(instance);
        systemd_host_end_boot(instance->systemd);
        instance->options.ended(status, instance->options.userdata);
}

/* "#!/usr/bin/flocker-bootstrap --role=agent" into words: the kernel gives all behind the program
 * as one. NULL: it is no script. */
static char *read_interpreter(const Instance *instance, char **ret_word)
{
        const char *text = instance->user_data;
        char *line, *blank;

        *ret_word = NULL;
        if (!text || !text_starts(text, "#!"))
                return NULL;
        line = text_copy_part(text + 2, strcspn(text, "\n") - 2);
        blank = line ? strpbrk(line, " \t") : NULL;
        if (blank) {
                *blank = '\0';
                *ret_word = blank + 1 + strspn(blank + 1, " \t");
        }
        return line;
}

static int spawn(Instance *instance, char **words, int output, Error *ret_error)
{
        EventSpawn options = {
                .program = words[0],
                .arguments = words,
                .environment = instance->environment,
                .folder = "/",
                .output = output,
                .ready = -1,
                .exited = on_child_exit,
                .userdata = instance,
        };

        return event_spawn(instance->options.loop, &options, &instance->child, ret_error);
}

/* A pipe whose other end is read here; *ret_fd is for the child. */
static int open_output(Instance *instance, const char *log, int *ret_fd, Error *ret_error)
{
        int fds[2];

        instance->log = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (instance->log < 0 || pipe2(fds, O_CLOEXEC) < 0)
                return error_set(ret_error, -errno, "cannot write '%s': %m", log);
        instance->output = fds[0];
        *ret_fd = fds[1];
        (void)fcntl(instance->output, F_SETFL, O_NONBLOCK);
        if (event_reader_new(instance->options.loop,
                    instance->output,
                    on_output,
                    instance,
                    &instance->reader) < 0)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", log);
        return 0;
}

int instance_run(Instance *instance, Error *ret_error)
{
        _cleanup_(free) char *script = text_format("%s/" SCRIPT, instance->root);
        _cleanup_(free) char *log = text_format("%s/" OUTPUT, instance->root);
        _cleanup_(free) char *root = text_format("--root=%s", instance->root);
        _cleanup_(free) char *fault = NULL, *keys = NULL;
        char *word, *words[WORDS_MAX] = {};
        _cleanup_(free) char *interpreter = read_interpreter(instance, &word);
        _cleanup_(close) int output = -1;
        size_t count = 0;
        bool ours;
        int r;

        if (!interpreter)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot run the user-data of %s: its first line names no program (#!…)",
                        instance->name);
        ours = text_ends(interpreter, "/flocker-bootstrap");
        fault = instance->fault ? text_format("--fault=%s", instance->fault) : NULL;
        keys = instance->keys ? text_format("--keys=%s", instance->keys) : NULL;
        r = script && root && log ? open_output(instance, log, &output, ret_error) : -ENOMEM;
        if (r < 0)
                return r;
        words[count++] = ours ? instance->bootstrap : interpreter;
        if (word && *word)
                words[count++] = word;
        if (ours)
                words[count++] = root;
        if (ours && fault)
                words[count++] = fault;
        if (ours && keys && strstr(word ? word : "", "control"))
                words[count++] = keys;
        words[count] = script;
        return spawn(instance, words, output, ret_error);
}

static void on_booted(void *userdata)
{
        Instance *instance = userdata;
        Error error = ERROR_INIT;

        if (!instance->user_data || instance->child)
                return;
        if (instance_run(instance, &error) < 0) {
                (void)fprintf(stderr, "flocker-rehearsal: %s\n", error.text);
                instance->options.ended(127 << 8, instance->options.userdata);
        }
}

/* What cloud-init gives, and where the cloud is. */
static int make_environment(Instance *instance, Error *ret_error)
{
        const char *s3 = cloud_s3_endpoint(instance->options.cloud);
        char **words = instance->environment;
        size_t count = 4;

        words[0] = text_copy("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        words[1] = text_copy("LANG=C.UTF-8");
        words[2] = text_format(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", metadata_host_endpoint(instance->metadata));
        words[3] = text_format("AWS_ENDPOINT_URL=%s", cloud_endpoint(instance->options.cloud));
        if (s3)
                words[count++] = text_format("AWS_ENDPOINT_URL_S3=%s", s3);
        for (size_t i = 0; i < count; i++)
                if (!words[i])
                        return error_set(ret_error, -ENOMEM, "cannot make an instance: %m");
        return 0;
}

/* Anew, with what has changed. */
static int serve_metadata(Instance *instance, Error *ret_error)
{
        const InstanceOptions *options = &instance->options;
        MetadataHostOptions metadata = {
                .loop = options->loop,
                .address = instance->address,
                .instance_id = instance->id,
                .instance_type = options->instance_type,
                .image_id = options->image_id,
                .zone = options->zone,
                .role_name = options->role_name,
                .principal = options->principal,
                .keys_lifetime = options->keys_lifetime,
                .user_data = instance->user_data,
                .tokens_required = options->tokens_required,
                .shared = options->machines != NULL,
                .launched = instance->launched,
                .faults = cloud_faults(options->cloud),
        };

        instance->metadata = metadata_host_free(instance->metadata);
        return metadata_host_new(&metadata, &instance->metadata, ret_error);
}

static int begin(Instance *instance, Error *ret_error)
{
        const InstanceOptions *options = &instance->options;
        SystemdHostOptions systemd = {
                .loop = options->loop,
                .root = instance->root,
                .address = instance->address,
                .program = options->rehearsal,
                .bootstrap = instance->bootstrap,
                .environment = instance->environment,
        };
        _cleanup_(close) int root_fd = -1;
        int r;

        r = folder_make(AT_FDCWD, instance->root, 0755, ret_error);
        if (r == 0)
                root_fd = open(instance->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r == 0 && root_fd < 0)
                r = error_set(ret_error, -errno, "cannot open '%s': %m", instance->root);
        if (r == 0)
                r = make_image(instance, root_fd, ret_error);
        if (r == 0)
                r = serve_metadata(instance, ret_error);
        if (r == 0)
                r = make_environment(instance, ret_error);
        if (r == 0)
                r = systemd_host_new(&systemd, &instance->systemd, ret_error);
        return r < 0 ? r : systemd_host_boot(instance->systemd, on_booted, instance, ret_error);
}

static void on_restarted(void *userdata)
{
        Instance *instance = userdata;

        systemd_host_end_boot(instance->systemd);
}

static int start_again(Instance *instance, Error *ret_error)
{
        SystemdHostOptions systemd = {
                .loop = instance->options.loop,
                .root = instance->root,
                .address = instance->address,
                .program = instance->options.rehearsal,
                .bootstrap = instance->bootstrap,
                .environment = instance->environment,
        };
        int r = serve_metadata(instance, ret_error);

        for (size_t i = 0; i < ENVIRONMENT; i++)
                free_p(&instance->environment[i]);
        if (r == 0)
                r = make_environment(instance, ret_error);
        if (r == 0)
                r = systemd_host_new(&systemd, &instance->systemd, ret_error);
        return r < 0 ? r : systemd_host_boot(instance->systemd, on_restarted, instance, ret_error);
}

int instance_restart(Instance *instance, const char *user_data, Error *ret_error)
{
        char *copy = user_data ? text_copy(user_data) : NULL;

        if (instance->options.machines)
                return error_set(ret_error,
                        -EOPNOTSUPP,
                        "cannot stop and start '%s': it is a container",
                        instance->name);
        if (user_data && !copy)
                return error_set(ret_error, -ENOMEM, "cannot start '%s': %m", instance->name);
        forget_child(instance);
        instance->systemd = systemd_host_free(instance->systemd);
        free(instance->user_data);
        instance->user_data = copy;
        instance->launched = clock_wall(&clock_system);
        return start_again(instance, ret_error);
}

/* The other kind: all that begin() imitates is in its image. */
static int begin_container(Instance *instance, Error *ret_error)
{
        ContainerOptions container = {
                .loop = instance->options.loop,
                .machines = instance->options.machines,
                .name = instance->name,
                .root = instance->root,
                .address = instance->address,
                .services = cloud_endpoint(instance->options.cloud),
                .s3 = cloud_s3_endpoint(instance->options.cloud),
                .said = instance->options.said,
                .ended = instance->options.ended,
                .userdata = instance->options.userdata,
        };
        int r = serve_metadata(instance, ret_error);

        if (r == 0)
                r = machines_add(instance->options.machines, instance, ret_error);
        return r < 0 ? r : container_new(&container, &instance->container, ret_error);
}

int instance_new(const InstanceOptions *options, Instance **ret, Error *ret_error)
{
        Instance *instance = calloc(1, sizeof(*instance));
        int r;

        if (!instance)
                return error_set(ret_error, -ENOMEM, "cannot make an instance: %m");
        *instance = (Instance){
                .options = *options,
                .name = text_copy(options->name),
                .root = text_copy(options->root),
                .address = text_copy(options->address),
                .bootstrap = text_copy(options->bootstrap),
                .user_data = options->user_data ? text_copy(options->user_data) : NULL,
                .fault = options->fault ? text_copy(options->fault) : NULL,
                .keys = options->keys ? text_copy(options->keys) : NULL,
                .launched = clock_wall(&clock_system),
                .output = -1,
                .log = -1,
                .line = BUFFER_INIT(64 * 1024),
        };
        (void)snprintf(instance->id,
                sizeof(instance->id),
                "i-0%016llx",
                (unsigned long long)random_below(&random_system, UINT64_MAX));
        r = instance->name && instance->root && instance->address && instance->bootstrap
                    ? (options->machines ? begin_container : begin)(instance, ret_error)
                    : error_set(ret_error, -ENOMEM, "cannot make an instance: %m");
        if (r < 0) {
                (void)instance_free(instance);
                return r;
        }
        *ret = instance;
        return 0;
}

static void end_container(Instance *instance)
{
        if (instance->options.machines)
                machines_remove(instance->options.machines, instance);
        instance->container = container_free(instance->container);
}

Instance *instance_free(Instance *instance)
{
        if (!instance)
                return NULL;
        end_container(instance);
        forget_child(instance);
        buffer_done(&instance->line);
        instance->systemd = systemd_host_free(instance->systemd);
        instance->metadata = metadata_host_free(instance->metadata);
        for (size_t i = 0; i < ENVIRONMENT; i++)
                free(instance->environment[i]);
        free(instance->name);
        free(instance->root);
        free(instance->address);
        free(instance->bootstrap);
        free(instance->user_data);
        free(instance->fault);
        free(instance->keys);
        free(instance);
        return NULL;
}

const char *instance_name(const Instance *instance)
{
        return instance->name;
}

const char *instance_id(const Instance *instance)
{
        return instance->id;
}

const char *instance_address(const Instance *instance)
{
        return instance->address;
}

const char *instance_root(const Instance *instance)
{
        return instance->root;
}

const char *instance_metadata(const Instance *instance)
{
        return metadata_host_endpoint(instance->metadata);
}

Usec instance_launched(const Instance *instance)
{
        return instance->launched;
}

bool instance_is_running(const Instance *instance)
{
        return instance->container ? container_is_booting(instance->container)
                                   : instance->child != NULL;
}

/* --- of containers alone --- */

Container *instance_container(const Instance *instance)
{
        return instance->container;
}

MetadataHost *instance_metadata_host(const Instance *instance)
{
        return instance->metadata;
}

const char *instance_user_data(const Instance *instance)
{
        return instance->user_data;
}

/* Replaces one of its texts, and tells metadata. */
static int replace_text(Instance *instance, char **place, const char *text, Error *ret_error)
{
        char *copy = text_copy(text);

        if (!copy)
                return error_set(ret_error, -ENOMEM, "cannot change '%s': %m", instance->name);
        free(*place);
        *place = copy;
        return serve_metadata(instance, ret_error);
}

int instance_set_user_data(Instance *instance, const char *user_data, Error *ret_error)
{
        return replace_text(instance, &instance->user_data, user_data, ret_error);
}

int instance_move(Instance *instance, const char *address, Error *ret_error)
{
        int r = container_move(instance->container, address, ret_error);

        return r < 0 ? r : replace_text(instance, &instance->address, address, ret_error);
}

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

int instance_new_like(const Instance *model,
        const char *name,
        const char *address,
        const char *user_data,
        Instance **ret,
        Error *ret_error)
{
        const char *slash = strrchr(model->root, '/');
        _cleanup_(free) char *root = text_format(
                "%.*s/%s.%s", TEXT_PART(model->root, slash - model->root), name, address);
        InstanceOptions options = model->options;
        int r;

        if (!root)
                return error_set(ret_error, -ENOMEM, "cannot launch '%s': %m", name);
        options.name = name;
        options.root = root;
        options.address = address;
        options.bootstrap = model->bootstrap;
        options.user_data = user_data;
        options.fault = NULL;
        options.keys = NULL;
        options.said = ignore_line;
        options.ended = ignore_end;
        options.userdata = NULL;
        r = instance_new(&options, ret, ret_error);
        if (r == 0)
                (*ret)->of_machines = true;
        return r;
}

void instance_terminate(Instance *instance)
{
        if (instance->of_machines)
                (void)instance_free(instance);
        else
                end_container(instance);
}
