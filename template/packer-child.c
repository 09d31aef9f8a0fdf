#include "template/packer-child.h"

#include "aws/environment.h"
#include "base/text.h"
#include "template/packer-output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_WORDS_TIME (10 * USEC_PER_MINUTE) /* to remove an instance, its key and its group */
#define VARIABLES_MAX   1024U

/* What the child is told beside our environment. */
static const char *const additions[] = {
        "CHECKPOINT_DISABLE=1", /* no question to its maker whether there is a newer one */
        "PACKER_NO_COLOR=1",
};

/* --- the program's place --- */

static int find_program(const char *name, char **ret, Error *ret_error)
{
        const char *path = environment_get(NULL, "PATH");

        if (strchr(name, '/'))
                path = "";
        for (const char *end; path; path = *end ? end + 1 : NULL) {
                _cleanup_(free) char *file = NULL;

                end = path + strcspn(path, ":");
                file = strchr(name, '/')
                               ? text_copy(name)
                               : text_format("%.*s/%s", TEXT_PART(path, end - path), name);
                if (!file)
                        return error_set(ret_error, -ENOMEM, "cannot run '%s': %m", name);
                if (access(file, X_OK) == 0) {
                        *ret = TAKE_PTR(file);
                        return 0;
                }
        }
        return error_set(ret_error,
                -ENOENT,
                "cannot run '%s': %s",
                name,
                strchr(name, '/') ? "there is no such program" : "it is in no folder of PATH");
}

/* --- the child's side --- */

static void become(const PackerChild *child, const char *file, int output, pid_t parent)
{
        const char *environment[VARIABLES_MAX + ELEMENTS(additions) + 1];
        size_t count = 0;
        sigset_t none;
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        for (char **variable = environ; *variable && count < VARIABLES_MAX; variable++)
                environment[count++] = *variable;
        for (size_t i = 0; i < ELEMENTS(additions); i++)
                environment[count++] = additions[i];
        environment[count] = NULL;

        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* which Packer's first process passes on */
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGPIPE, SIG_DFL);
        if (getppid() != parent || dup2(null, STDIN_FILENO) < 0 ||
                dup2(output, STDOUT_FILENO) < 0 || (child->folder && chdir(child->folder) < 0))
                _exit(126);
        (void)execve(file,
                (char *const *)(uintptr_t)child->arguments,
                (char *const *)(uintptr_t)environment);
        _exit(127);
}

/* --- our side --- */

typedef struct Watch {
        const PackerChild *child;
        pid_t pid;
        int output, signals, life; /* life: a pidfd */
        Usec deadline;
        PackerChildEnd end;
        bool asked; /* it was asked to end */
        char line[PACKER_OUTPUT_LINE_MAX];
        size_t length;
        int result;
        Error *error;
} Watch;

static void watch_done(Watch *watch)
{
        close_p(&watch->output);
        close_p(&watch->signals);
        close_p(&watch->life);
}
DEFINE_CLEANUP_IN_PLACE(Watch, watch_done);

static void ask_to_end(Watch *watch, PackerChildEnd why)
{
        if (watch->asked) {
                (void)kill(-watch->pid, SIGKILL);
                return;
        }
        watch->asked = true;
        watch->end = why;
        watch->deadline = clock_deadline(&clock_system, LAST_WORDS_TIME);
        if (watch->child->interrupted)
                watch->child->interrupted(watch->child->userdata);
        (void)kill(
                -watch->pid, SIGINT); /* as a terminal would: Packer's first process ignores it */
}

static void give_line(Watch *watch)
{
        int r;

        watch->line[watch->length] = '\0';
        watch->length = 0;
        r = watch->child->line(
                watch->line, watch->child->userdata, watch->result < 0 ? NULL : watch->error);
        if (r < 0 && watch->result == 0)
                watch->result = r;
}

/* False at the end of the output. */
static bool read_output(Watch *watch)
{
        char piece[4096];
        ssize_t n = read(watch->output, piece, sizeof(piece));

        if (n < 0)
                return errno == EINTR || errno == EAGAIN;
        for (ssize_t i = 0; i < n; i++) {
                if (piece[i] == '\n')
                        give_line(watch);
                else if (watch->length + 1 < sizeof(watch->line) && piece[i])
                        watch->line[watch->length++] = piece[i];
        }
        return n > 0;
}

static void take_signal(Watch *watch)
{
        struct signalfd_siginfo signal;

        if (read(watch->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
                ask_to_end(watch, PACKER_CHILD_INTERRUPTED);
}

/* To the end of the output, or of the child: what it leaves running may hold the output open. */
static void watch_output(Watch *watch)
{
        bool more = true;

        while (more) {
                struct pollfd fds[] = {
                        {watch->output, POLLIN, 0},
                        {watch->signals, POLLIN, 0},
                        {watch->life, POLLIN, 0},
                };
                Usec left = clock_left(&clock_system, watch->deadline) / USEC_PER_MSEC;

                if (poll(fds, ELEMENTS(fds), left < INT_MAX ? (int)left + 1 : INT_MAX) < 0 &&
                        errno != EINTR)
                        break;
                if (fds[0].revents)
                        more = read_output(watch);
                else if (fds[2].revents)
                        more = false;
                if (fds[1].revents)
                        take_signal(watch);
                if (clock_passed(&clock_system, watch->deadline))
                        ask_to_end(watch, PACKER_CHILD_TOO_LATE);
        }
        if (watch->length > 0)
                give_line(watch);
}

/* It has closed its output, and is about to end; to the deadline. The group goes before the child's
 * number is free for others. */
static int wait_end(const Watch *watch)
{
        siginfo_t ended = {};
        int status = 0;

        while (waitid(P_PID, (id_t)watch->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                ended.si_pid == 0) {
                if (clock_passed(&clock_system, watch->deadline))
                        (void)kill(-watch->pid, SIGKILL);
                clock_sleep_until(&clock_system, clock_deadline(&clock_system, 5 * USEC_PER_MSEC));
        }
        (void)kill(-watch->pid, SIGKILL); /* plugins that outlived it */
        (void)waitpid(watch->pid, &status, 0);
        return status;
}

static int start(const PackerChild *child, const char *file, Watch *watch, Error *ret_error)
{
        pid_t self = getpid();
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set(ret_error, -errno, "cannot run '%s': %m", child->program);
        (void)fflush(NULL);
        watch->pid = fork();
        if (watch->pid == 0)
                become(child, file, fds[1], self);
        (void)close(fds[1]);
        watch->output = fds[0];
        if (watch->pid < 0)
                return error_set(ret_error, -errno, "cannot run '%s': %m", child->program);
        (void)setpgid(watch->pid, watch->pid); /* whoever of the two is first */
        return 0;
}

static void interrupting_signals(sigset_t *ret)
{
        (void)sigemptyset(ret);
        (void)sigaddset(ret, SIGINT);
        (void)sigaddset(ret, SIGTERM);
        (void)sigaddset(ret, SIGHUP);
}

int packer_child_run(
        const PackerChild *child, PackerChildEnd *ret_end, int *ret_status, Error *ret_error)
{
        _cleanup_(watch_done) Watch watch = {
                .child = child,
                .output = -1,
                .signals = -1,
                .life = -1,
                .deadline = child->deadline,
                .error = ret_error,
        };
        _cleanup_(free) char *file = NULL;
        sigset_t set, before;
        int status = 0, r;

        r = find_program(child->program, &file, ret_error);
        if (r < 0)
                return r;
        interrupting_signals(&set);
        (void)sigprocmask(SIG_BLOCK, &set, &before);
        watch.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        r = start(child, file, &watch, ret_error);
        if (r == 0) {
                watch.life = pidfd_open(watch.pid, 0);
                watch_output(&watch);
                status = wait_end(&watch);
        }
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        if (r < 0)
                return r;
        *ret_end = watch.end;
        *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return watch.result;
}
