#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t system_next(void *userdata)
{
        uint64_t number;

        (void)userdata;
        if (random_get_bytes(&number, sizeof(number), NULL) < 0)
                abort(); /* a kernel older than 3.17: nothing of ours runs there */
        return number;
}

const Random random_system = {.next = system_next};

uint64_t random_below(const Random *random, uint64_t limit)
{
        uint64_t uneven, number;

        if (limit == 0)
                return 0;

        uneven = -limit % limit; /* 2^64 mod limit: numbers below it would weigh twice */
        do
                number = random->next(random->userdata);
        while (number < uneven);
        return number % limit;
}

int random_get_bytes(void *place, size_t size, Error *ret_error)
{
        char *bytes = place;

        while (size > 0) {
                ssize_t n = getrandom(bytes, size, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_set(
                                ret_error, -errno, "cannot read random bytes from the kernel: %m");
                bytes += n;
                size -= (size_t)n;
        }
        return 0;
}
