#include "aws/environment.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

const char *environment_get(char *const *environment, const char *name)
{
        size_t length = strlen(name);

        for (char *const *entry = environment ? environment : environ; *entry; entry++)
                if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
                        return (*entry)[length + 1] ? *entry + length + 1 : NULL;
        return NULL;
}
