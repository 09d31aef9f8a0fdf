#include "rehearsal/capture.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int capture_output(char *const *words, Buffer *ret, int *ret_status, Error *ret_error)
{
        int fds[2], r;
        pid_t child;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_set(ret_error, -errno, "cannot run '%s': %m", words[0]);
        (void)fflush(NULL);
        child = fork();
        if (child == 0) {
                if (dup2(fds[1], STDOUT_FILENO) >= 0)
                        (void)execv(words[0], words);
                _exit(127);
        }
        (void)close(fds[1]);
        r = child < 0 ? error_set(ret_error, -errno, "cannot run '%s': %m", words[0])
                      : file_read_fd(fds[0], words[0], CAPTURE_MAX, ret, ret_error);
        (void)close(fds[0]);
        if (child > 0)
                (void)waitpid(child, ret_status, 0);
        return r;
}
