/* An HTTP server on loopback, in a thread of the test's own process, that answers as a function of
 * the test says: with a virtual clock, a minute's refusals pass in milliseconds.
 *
 *         static void script(ScriptedServer *server, const char *head, Buffer *answer);
 *
 *         scripted_server_start(&server, script, userdata);
 *         … server.url …
 *         scripted_server_stop(&server);
 *
 * The script is given the request's head and appends the whole answer; if it appends nothing, the
 * connection is closed without one. It runs in the server's thread, while the test waits for it.
 */

#pragma once

#include "base/buffer.h"
#include "base/text.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRIPTED_CONNECTIONS 8
#define SCRIPTED_HEAD_MAX    8192U
#define SCRIPTED_SEEN_MAX    2048U

typedef struct ScriptedServer ScriptedServer;
typedef void (*ScriptedAnswer)(ScriptedServer *server, const char *head, Buffer *answer);

struct ScriptedServer {
        ScriptedAnswer script;
        void *userdata;
        char url[64];
        bool close_silently;           /* after each answer, without a word about it */
        char *seen[SCRIPTED_SEEN_MAX]; /* the heads that came, in their order */
        size_t n_seen;
        struct pollfd sockets[2 + SCRIPTED_CONNECTIONS]; /* the stop pipe, the listener, clients */
        int stop_fd;
        pthread_t thread;
};

static inline void scripted_hang_up(struct pollfd *connection)
{
        (void)close(connection->fd);
        connection->fd = -1;
}

/* The length of the body that the head announces. */
static inline size_t scripted_body_size(const char *head)
{
        const char *length = strcasestr(head, "\r\ncontent-length:");

        return length ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

/* One whole request, or the end of the connection. */
static inline bool scripted_receive(int fd, char *head)
{
        size_t size = 0, skipped = 0;
        char *end = NULL;
        char body[4096];

        while (!end && size < SCRIPTED_HEAD_MAX - 1) {
                ssize_t n = recv(fd, head + size, 1, 0); /* so that no body is taken with it */

                if (n <= 0)
                        return false;
                head[++size] = '\0';
                end = strstr(head, "\r\n\r\n");
        }
        while (end && skipped < scripted_body_size(head)) {
                ssize_t n = recv(fd, body, sizeof(body), 0);

                if (n <= 0)
                        return false;
                skipped += (size_t)n;
        }
        return end;
}

static inline void scripted_serve(ScriptedServer *server, struct pollfd *connection)
{
        char head[SCRIPTED_HEAD_MAX] = "";
        Buffer answer = BUFFER_INIT(1024 * 1024);

        if (!scripted_receive(connection->fd, head)) {
                scripted_hang_up(connection);
                return;
        }
        if (server->n_seen < SCRIPTED_SEEN_MAX)
                server->seen[server->n_seen++] = text_copy(head);
        server->script(server, head, &answer);
        if (answer.size > 0)
                (void)send(connection->fd, answer.data, answer.size, MSG_NOSIGNAL);
        if (answer.size == 0 || server->close_silently)
                scripted_hang_up(connection);
        buffer_done(&answer);
}

static inline void scripted_accept(ScriptedServer *server)
{
        int fd = accept(server->sockets[1].fd, NULL, NULL);

        for (size_t i = 2; i < ELEMENTS(server->sockets); i++)
                if (server->sockets[i].fd < 0) {
                        server->sockets[i].fd = fd;
                        return;
                }
        (void)close(fd);
}

static inline void *scripted_run(void *userdata)
{
        ScriptedServer *server = userdata;

        while (poll(server->sockets, ELEMENTS(server->sockets), -1) >= 0) {
                if (server->sockets[0].revents)
                        break;
                if (server->sockets[1].revents)
                        scripted_accept(server);
                for (size_t i = 2; i < ELEMENTS(server->sockets); i++)
                        if (server->sockets[i].fd >= 0 && server->sockets[i].revents)
                                scripted_serve(server, &server->sockets[i]);
        }
        return NULL;
}

static inline void scripted_server_start(
        ScriptedServer *server, ScriptedAnswer script, void *userdata)
{
        struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(address);
        int stop[2];

        *server = (ScriptedServer){.script = script, .userdata = userdata};
        for (size_t i = 0; i < ELEMENTS(server->sockets); i++)
                server->sockets[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        assert_int_equal(pipe(stop), 0);
        server->sockets[0].fd = stop[0];
        server->stop_fd = stop[1];
        server->sockets[1].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(
                bind(server->sockets[1].fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(server->sockets[1].fd, SCRIPTED_CONNECTIONS), 0);
        assert_int_equal(
                getsockname(server->sockets[1].fd, (struct sockaddr *)&address, &length), 0);
        (void)snprintf(server->url,
                sizeof(server->url),
                "http://127.0.0.1:%u",
                (unsigned)ntohs(address.sin_port));
        assert_int_equal(pthread_create(&server->thread, NULL, scripted_run, server), 0);
}

/* Once more, or before the start, does nothing. */
static inline void scripted_server_stop(ScriptedServer *server)
{
        if (!server->script)
                return;
        (void)close(server->stop_fd);
        (void)pthread_join(server->thread, NULL);
        for (size_t i = 0; i < ELEMENTS(server->sockets); i++)
                if (server->sockets[i].fd >= 0)
                        scripted_hang_up(&server->sockets[i]);
        for (size_t i = 0; i < server->n_seen; i++)
                free(server->seen[i]);
        server->n_seen = 0;
        server->script = NULL;
}

/* An answer with headers of the test's own ("Date: …\r\n") and a body. */
static inline void scripted_answer(
        Buffer *answer, unsigned status, const char *headers, const char *body)
{
        (void)buffer_append_format(answer,
                "HTTP/1.1 %u Said\r\n%sContent-Length: %zu\r\n\r\n%s",
                status,
                headers,
                strlen(body),
                body);
}

/* A refusal as S3 words it. */
static inline void scripted_refuse(
        Buffer *answer, unsigned status, const char *headers, const char *code)
{
        char body[512];

        (void)snprintf(body,
                sizeof(body),
                "<Error><Code>%s</Code><Message>said the test</Message>"
                "<RequestId>4F</RequestId></Error>",
                code);
        scripted_answer(answer, status, headers, body);
}
