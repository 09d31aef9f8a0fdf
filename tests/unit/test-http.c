/* The HTTP client's own loop: what it does while nothing happens. */

#include "net/http.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (400 * USEC_PER_MSEC)

/* A port of loopback: with `silent`, one that takes connections and never answers; else a closed
 * one. */
static unsigned take_port(bool silent, int *ret_fd)
{
        struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(address);

        *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(*ret_fd >= 0);
        assert_int_equal(bind(*ret_fd, (struct sockaddr *)&address, length), 0);
        assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&address, &length), 0);
        if (silent)
                assert_int_equal(listen(*ret_fd, 8), 0);
        return ntohs(address.sin_port);
}

static Usec read_cpu_time(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (Usec)now.tv_sec * USEC_PER_SEC + (Usec)now.tv_nsec / 1000;
}

static void a_race_with_a_loser_sleeps(void **state)
{
        _cleanup_(http_client_free) HttpClient *client = NULL;
        _cleanup_(http_response_done) HttpResponse response = HTTP_RESPONSE_INIT;
        HttpRequest requests[2] = {};
        char urls[2][64];
        int fds[2];
        Error error = ERROR_INIT;
        size_t winner;
        Usec began;

        (void)state;
        assert_int_equal(
                http_client_new(&(HttpOptions){.user_agent = "test", .clock = &clock_system},
                        &client,
                        &error),
                0);
        for (int i = 0; i < 2; i++) {
                (void)snprintf(urls[i],
                        sizeof(urls[i]),
                        "http://127.0.0.1:%u/",
                        take_port(i == 1, &fds[i]));
                requests[i] = (HttpRequest){
                        .method = "GET",
                        .url = urls[i],
                        .deadline = clock_deadline(&clock_system, PATIENCE),
                        .no_proxy = true,
                };
        }

        began = read_cpu_time();
        assert_int_equal(
                http_race(client, requests, 2, 10 * USEC_PER_MSEC, &response, &winner, &error),
                -ECONNREFUSED);
        assert_in_range(read_cpu_time() - began, 0, PATIENCE / 4);
        for (int i = 0; i < 2; i++)
                close(fds[i]);
}

TESTS_MAIN(cmocka_unit_test(a_race_with_a_loser_sleeps))
