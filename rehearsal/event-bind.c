/* What of event.h needs no libevent: sockets that listen. */

#include "base/text.h"
#include "rehearsal/event.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int event_bind_unix(const char *path, int *ret_fd, Error *ret_error)
{
        _cleanup_(free) char *folder = text_copy(path);
        const char *name = strrchr(path, '/');
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_(close) int folder_fd = -1, fd = -1;

        folder_fd = folder ? open(dirname(folder), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)snprintf(address.sun_path,
                sizeof(address.sun_path),
                "/proc/self/fd/%d%s",
                folder_fd,
                name ? name : "");
        if (folder_fd < 0 || fd < 0 || (unlink(path) < 0 && errno != ENOENT) ||
                bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                listen(fd, SOMAXCONN) < 0)
                return error_set(ret_error, -errno, "cannot listen on '%s': %m", path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int event_bind_tcp(const char *address, unsigned port, int *ret_fd, Error *ret_error)
{
        struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        _cleanup_(close) int fd = -1;
        int one = 1;

        if (inet_pton(AF_INET, address, &where.sin_addr) != 1)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot listen on '%s': it is no IPv4 address",
                        address);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
                bind(fd, (struct sockaddr *)&where, sizeof(where)) < 0 || listen(fd, SOMAXCONN) < 0)
                return error_set(ret_error, -errno, "cannot listen on '%s:%u': %m", address, port);
        *ret_fd = TAKE_FD(fd);
        return 0;
}
