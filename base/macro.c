#include "base/macro.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void free_p(void *place)
{
        int saved = errno;

        free(*(void **)place);
        errno = saved;
}

void close_p(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
        errno = saved;
}
