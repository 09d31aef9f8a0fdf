#include "rehearsal/play.h"

#include "base/text.h"
#include "rehearsal/event.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define READY_FD  3
#define EXIT_EXEC 203 /* systemd.exec(5): the program cannot be executed */
#define BINDS_MAX 16U
#define WORDS_MAX 32U

/* What there is on every machine, for units of tests. */
static int play_true(const PlayPart *part)
{
        (void)part;
        return 0;
}

static int play_false(const PlayPart *part)
{
        (void)part;
        return 1;
}

static int play_sleep(const PlayPart *part)
{
        (void)part;
        (void)pause(); /* until a signal ends it */
        return 0;
}

static const struct {
        const char *name;
        int (*play)(const PlayPart *part);
} parts[] = {
        {"dockerd", play_engine},
        {"containerd", play_containerd},
        {"swarm", play_manager},
        {"flocker-control", play_flocker_control},
        {"flocker-dataset-agent", play_flocker_agent},
        {"flocker-docker-plugin", play_flocker_plugin},
        {"flocker-container-agent", play_flocker_plugin},
        {"flocker-bootstrap", play_bootstrap},
        {"true", play_true},
        {"false", play_false},
        {"sleep", play_sleep},
};

static bool tells_ready; /* somebody waits at the other end of READY_FD */

int play_main(int argc, char *argv[])
{
        const char *binds[BINDS_MAX + 1] = {};
        PlayPart part = {.root = "/", .address = "127.0.0.1", .binds = binds};
        size_t n_binds = 0;
        int i = 2;

        (void)signal(SIGPIPE, SIG_IGN);
        for (; i < argc && !text_equal(argv[i], "--"); i++) {
                if (text_starts(argv[i], "--root="))
                        part.root = argv[i] + strlen("--root=");
                else if (text_starts(argv[i], "--address="))
                        part.address = argv[i] + strlen("--address=");
                else if (text_equal(argv[i], "--ready"))
                        tells_ready = true;
                else if (text_starts(argv[i], "--bootstrap="))
                        part.bootstrap = argv[i] + strlen("--bootstrap=");
                else if (text_starts(argv[i], "--bind=") && n_binds < BINDS_MAX)
                        binds[n_binds++] = argv[i] + strlen("--bind=");
        }
        part.arguments = argv + (i < argc ? i + 1 : argc);
        for (size_t k = 0; argc > 1 && k < ELEMENTS(parts); k++)
                if (text_equal(parts[k].name, argv[1]))
                        return parts[k].play(&part);
        (void)fprintf(stderr,
                "cannot play '%s': a rehearsal's machine has no such program\n",
                argc > 1 ? argv[1] : "");
        return EXIT_EXEC;
}

void play_ready(void)
{
        if (!tells_ready)
                return;
        (void)!write(READY_FD, "1", 1);
        (void)close(READY_FD);
}

int play_fail(const char *name, const Error *error)
{
        (void)fprintf(stderr, "%s: %s\n", name, error->text);
        return 1;
}

char *play_path(const PlayPart *part, const char *path)
{
        for (size_t i = 0; part->binds && part->binds[i]; i++) {
                const char *from = part->binds[i], *to = strchr(from, ':');
                size_t length = to ? strcspn(to + 1, ":") : 0;

                if (to && strncmp(path, to + 1, length) == 0 &&
                        (path[length] == '/' || path[length] == '\0'))
                        return text_format(
                                "%s%.*s%s", part->root, TEXT_PART(from, to - from), path + length);
        }
        return text_format("%s%s", part->root, path);
}

/* A part that has nothing to do but to be there. */
static int be_there(const char *name)
{
        EventLoop *loop;
        Error error = ERROR_INIT;

        if (event_loop_new(&loop, &error) < 0)
                return play_fail(name, &error);
        play_ready();
        for (;;)
                (void)pause();
}

/* A unit of our own package: the program itself, on this machine's root. */
int play_bootstrap(const PlayPart *part)
{
        _cleanup_(free) char *root = text_format("--root=%s", part->root);
        char *words[WORDS_MAX + 3] = {(char *)(uintptr_t)part->bootstrap};
        size_t count = 1;

        for (; part->arguments[count - 1] && count < WORDS_MAX; count++)
                words[count] = part->arguments[count - 1];
        words[count] = root;
        play_ready();
        if (part->bootstrap && root)
                (void)execv(part->bootstrap, words);
        (void)fprintf(stderr, "cannot run flocker-bootstrap: %m\n");
        return EX_UNAVAILABLE;
}

int play_containerd(const PlayPart *part)
{
        (void)part;
        return be_there("containerd");
}

int play_flocker_plugin(const PlayPart *part)
{
        static const char *const files[] = {
                "/etc/flocker/cluster.crt",
                "/etc/flocker/plugin.crt",
                "/etc/flocker/plugin.key",
                "/etc/flocker/agent.yml",
        };
        Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_(free) char *path = play_path(part, files[i]);

                if (!path || access(path, R_OK) < 0) {
                        (void)error_set(&error, -errno, "cannot read '%s': %m", files[i]);
                        return play_fail("flocker-docker-plugin", &error);
                }
        }
        return be_there("flocker-docker-plugin");
}
