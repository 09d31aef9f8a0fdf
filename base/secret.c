#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct Secret {
        size_t owners;
        size_t mapped; /* bytes of the mapping that this struct begins */
        size_t size;
        char data[];
};

int secret_new(const void *data, size_t size, Secret **ret)
{
        size_t mapped = sizeof(Secret) + size + 1;
        Secret *secret;

        if (size > SECRET_SIZE_MAX)
                return -EFBIG;

        secret = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (secret == MAP_FAILED)
                return -ENOMEM;

        /* Each of these is a help, none a condition: a container may allow none of them. */
        (void)mlock(secret, mapped);
        (void)madvise(secret, mapped, MADV_DONTDUMP);
        (void)madvise(secret, mapped, MADV_WIPEONFORK);

        secret->owners = 1;
        secret->mapped = mapped;
        secret->size = size;
        if (size > 0)
                memcpy(secret->data, data, size);
        *ret = secret;
        return 0;
}

int secret_new_text(const char *text, Secret **ret)
{
        return secret_new(text, strlen(text), ret);
}

Secret *secret_free(Secret *secret)
{
        size_t mapped;

        if (!secret || --secret->owners > 0)
                return NULL;

        mapped = secret->mapped;
        explicit_bzero(secret, mapped);
        munmap(secret, mapped);
        return NULL;
}

Secret *secret_ref(Secret *secret)
{
        if (secret)
                secret->owners++;
        return secret;
}

void secret_keep_on_fork(Secret *secret)
{
        if (secret)
                (void)madvise(secret, secret->mapped, MADV_KEEPONFORK);
}

const char *secret_data(const Secret *secret)
{
        return secret->data;
}

size_t secret_size(const Secret *secret)
{
        return secret->size;
}

bool secret_equal(const Secret *a, const Secret *b)
{
        volatile unsigned char difference = 0;

        if (a->size != b->size)
                return false;
        for (size_t i = 0; i < a->size; i++)
                difference |= (unsigned char)(a->data[i] ^ b->data[i]);
        return difference == 0;
}

const char *secret_display(const Secret *secret)
{
        return secret ? "[redacted]" : "[none]";
}

int secret_protect_process(Error *ret_error)
{
        const struct rlimit none = {0, 0};

        if (setrlimit(RLIMIT_CORE, &none) < 0)
                return error_set(ret_error, -errno, "cannot forbid core dumps: %m");
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_set(ret_error, -errno, "cannot forbid core dumps and ptrace: %m");
        return 0;
}
