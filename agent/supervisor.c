#include "agent/supervisor.h"

#include "base/text.h"
#include "host/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum MessageKind {
        MESSAGE_STEP,
        MESSAGE_FAILURE,
} MessageKind;

typedef struct Message {
        MessageKind kind;
        char step[SUPERVISOR_STEP_MAX];
        Usec limit;
        int code;
        Error error;
} Message;
_Static_assert(sizeof(Message) <= 4096, "a message is one atomic write: PIPE_BUF");

typedef struct Supervisor {
        const SupervisorOptions *options;
        pid_t worker;
        int pipe_fd, signal_fd;
        char step[SUPERVISOR_STEP_MAX];
        Usec limit;           /* of the step, or of putting things back */
        const sigset_t *mask; /* as it was before the signals that are watched */
        bool failed, ended;
        int code;
} Supervisor;

static void tell(const SupervisorLine *line, const Message *message)
{
        (void)!write(line->fd, message, sizeof(*message)); /* no parent, nobody to tell */
}

void supervisor_tell_step(const SupervisorLine *line, const char *step, Usec limit)
{
        Message message = {.kind = MESSAGE_STEP, .limit = limit};

        (void)text_put(message.step, sizeof(message.step), step);
        tell(line, &message);
}

void supervisor_tell_failure(
        const SupervisorLine *line, const char *step, int code, const Error *error)
{
        Message message = {.kind = MESSAGE_FAILURE, .code = code, .error = *error};

        (void)text_put(message.step, sizeof(message.step), step);
        tell(line, &message);
}

static void say_status(const Supervisor *supervisor, const char *what)
{
        char text[SUPERVISOR_STEP_MAX + 32];

        (void)snprintf(text, sizeof(text), "STATUS=%s%s", supervisor->step, what);
        systemd_notify(text);
}

/* It may take long where nobody listens. Whoever has asked for the end once has been heard (that is
 * what is told); who asks again means it. */
static void report(Supervisor *supervisor, const SupervisorFailure *failure)
{
        struct signalfd_siginfo info;
        sigset_t watched;

        say_status(supervisor, " has failed");
        systemd_watchdog_allow(supervisor->options->fail_time);
        while (read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info))
                ;
        (void)sigprocmask(SIG_SETMASK, supervisor->mask, &watched);
        supervisor->options->fail(failure, supervisor->options->userdata);
        (void)sigprocmask(SIG_SETMASK, &watched, NULL);
        systemd_watchdog_allow(0);
}

static void fail(Supervisor *supervisor, int code, bool told, const Error *error)
{
        SupervisorFailure failure = {.code = code, .told = told, .error = *error};

        if (supervisor->failed)
                return;
        supervisor->failed = true;
        supervisor->code = code;
        supervisor->limit = clock_deadline(&clock_system, SUPERVISOR_UNDO_TIME);
        (void)text_put(failure.step, sizeof(failure.step), supervisor->step);
        report(supervisor, &failure);
}

static void read_messages(Supervisor *supervisor)
{
        Message message;

        while (read(supervisor->pipe_fd, &message, sizeof(message)) == sizeof(message)) {
                (void)text_put(supervisor->step, sizeof(supervisor->step), message.step);
                if (message.kind == MESSAGE_FAILURE)
                        fail(supervisor, message.code, true, &message.error);
                else if (!supervisor->failed) {
                        supervisor->limit = message.limit;
                        say_status(supervisor, "");
                }
        }
}

static const char *place(const Supervisor *supervisor)
{
        return supervisor->step[0] ? supervisor->step : "the start";
}

/* How it ended, in words. What it told before has been read. */
static void judge_end(Supervisor *supervisor, int status)
{
        Error error = ERROR_INIT;

        supervisor->ended = true;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return;
        if (WIFSIGNALED(status))
                (void)error_set(&error,
                        -ECHILD,
                        "cannot finish '%s': the worker was ended by signal %d (%s%s)",
                        place(supervisor),
                        WTERMSIG(status),
                        sigdescr_np(WTERMSIG(status)),
                        WTERMSIG(status) == SIGKILL ? ": memory may have run out; see dmesg" : "");
        else
                (void)error_set(&error,
                        -ECHILD,
                        "cannot finish '%s': the worker ended with status %d and gave no reason",
                        place(supervisor),
                        WEXITSTATUS(status));
        fail(supervisor, -ECHILD, false, &error);
}

static void reap(Supervisor *supervisor)
{
        int status;

        if (waitpid(supervisor->worker, &status, WNOHANG) == supervisor->worker) {
                read_messages(supervisor);
                judge_end(supervisor, status);
        }
}

static void kill_worker(Supervisor *supervisor, const char *why)
{
        Error error = ERROR_INIT;
        int status;

        (void)kill(supervisor->worker, SIGKILL);
        (void)waitpid(supervisor->worker, &status, 0);
        supervisor->ended = true;
        (void)error_set(&error, -ETIMEDOUT, "cannot finish '%s': %s", place(supervisor), why);
        fail(supervisor, -ETIMEDOUT, false, &error);
}

static void read_signal(Supervisor *supervisor)
{
        struct signalfd_siginfo info;

        if (read(supervisor->signal_fd, &info, sizeof(info)) != sizeof(info) ||
                info.ssi_signo == SIGCHLD)
                return;
        kill_worker(supervisor,
                info.ssi_signo == SIGINT ? "it was interrupted" : "it was told to end (SIGTERM)");
}

static int wait_for_news(Supervisor *supervisor)
{
        struct pollfd polled[] = {
                {.fd = supervisor->pipe_fd, .events = POLLIN},
                {.fd = supervisor->signal_fd, .events = POLLIN},
        };
        Usec watchdog = systemd_watchdog_interval();
        Usec left = clock_left(&clock_system, supervisor->limit);
        struct timespec timeout;

        if (supervisor->limit != USEC_INFINITY && left == 0) {
                kill_worker(supervisor, "it did not end in its time, and was killed");
                return 0;
        }
        if (watchdog > 0)
                left = usec_min(left, watchdog);
        left = usec_min(left, USEC_PER_HOUR);
        timeout.tv_sec = (time_t)(left / USEC_PER_SEC);
        timeout.tv_nsec = (long)(left % USEC_PER_SEC) * 1000;
        if (ppoll(polled, ELEMENTS(polled), &timeout, NULL) < 0 && errno != EINTR)
                return -errno;
        if (watchdog > 0)
                systemd_notify("WATCHDOG=1");
        if (polled[1].revents)
                read_signal(supervisor);
        if (!supervisor->ended)
                read_messages(supervisor);
        return 0;
}

static void run_worker(const SupervisorOptions *options, const sigset_t *mask, int fd, pid_t parent)
{
        SupervisorLine line = {.fd = fd};
        int r;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it died before that took hold */
                _exit(1);
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        r = options->work(&line, options->userdata);
        (void)fflush(NULL);
        _exit(r < 0 ? 1 : 0);
}

static int start(Supervisor *supervisor, const sigset_t *mask, Error *ret_error)
{
        _cleanup_(close) int read_fd = -1, write_fd = -1;
        pid_t self = getpid();
        int fds[2];

        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_set(ret_error, -errno, "cannot start the worker: %m");
        read_fd = fds[0];
        write_fd = fds[1];
        (void)fflush(NULL); /* what is buffered must not be printed twice */
        supervisor->worker = fork();
        if (supervisor->worker < 0)
                return error_set(ret_error, -errno, "cannot start the worker: %m");
        if (supervisor->worker == 0)
                run_worker(supervisor->options, mask, write_fd, self);
        supervisor->pipe_fd = TAKE_FD(read_fd);
        return 0;
}

static int supervise(Supervisor *supervisor)
{
        int r = 0;

        while (!supervisor->ended && r == 0) {
                r = wait_for_news(supervisor);
                if (!supervisor->ended)
                        reap(supervisor);
        }
        return r;
}

int supervisor_run(const SupervisorOptions *options, Error *ret_error)
{
        sigset_t watched, mask;
        Supervisor supervisor = {
                .options = options,
                .pipe_fd = -1,
                .signal_fd = -1,
                .mask = &mask,
                .limit = USEC_INFINITY,
        };
        int r;

        (void)sigemptyset(&watched);
        (void)sigaddset(&watched, SIGCHLD);
        (void)sigaddset(&watched, SIGTERM);
        (void)sigaddset(&watched, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &watched, &mask);
        supervisor.signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
        if (supervisor.signal_fd < 0)
                r = error_set(ret_error, -errno, "cannot supervise the worker: %m");
        else
                r = start(&supervisor, &mask, ret_error);
        if (r == 0)
                r = supervise(&supervisor);

        close_p(&supervisor.pipe_fd);
        close_p(&supervisor.signal_fd);
        (void)sigprocmask(SIG_SETMASK, &mask, NULL);
        return r == 0 && supervisor.failed ? supervisor.code : r;
}
