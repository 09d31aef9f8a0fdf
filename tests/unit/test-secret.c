#include "base/digest.h"
#include "base/secret.h"
#include "base/text.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* AddressSanitizer makes mlock(2) do nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define LOCKS false
#elif defined(__has_feature)
#define LOCKS (!__has_feature(address_sanitizer))
#else
#define LOCKS true
#endif

static void a_secret_is_kept_and_not_shown(void **state)
{
        _cleanup_(secret_free) Secret *secret = NULL, *same = NULL, *other = NULL;

        (void)state;
        assert_int_equal(secret_new("a\0b", 3, &secret), 0);
        assert_int_equal(secret_new("a\0b", 3, &same), 0);
        assert_int_equal(secret_new_text("a", &other), 0);
        assert_memory_equal(secret_data(secret), "a\0b", 4);
        assert_int_equal(secret_size(secret), 3);
        assert_true(secret_equal(secret, same));
        assert_false(secret_equal(secret, other));
        assert_string_equal(secret_display(secret), "[redacted]");
        assert_string_equal(secret_display(NULL), "[none]");
        assert_int_equal(secret_new("", SECRET_SIZE_MAX + 1, &other), -EFBIG);
}

static void the_last_owner_ends_it(void **state)
{
        Secret *secret, *second;

        (void)state;
        assert_int_equal(secret_new_text("x", &secret), 0);
        second = secret_ref(secret);
        assert_null(secret_free(secret));
        assert_string_equal(secret_data(second), "x");
        assert_null(secret_free(second));
        assert_null(secret_free(NULL));
}

/* The flags of the mapping that `address` lies in: "dd" is MADV_DONTDUMP, "wf" MADV_WIPEONFORK,
 * "lo" mlock(2). */
static void read_flags(const void *address, char *ret, size_t size)
{
        FILE *maps = fopen("/proc/self/smaps", "re");
        unsigned long begin, end;
        bool inside = false;
        char line[512];

        ret[0] = '\0';
        assert_non_null(maps);
        while (fgets(line, sizeof(line), maps)) {
                if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
                        inside = (unsigned long)address >= begin && (unsigned long)address < end;
                if (inside && text_starts(line, "VmFlags:"))
                        assert_int_equal(text_put(ret, size, line), 0);
        }
        (void)fclose(maps);
}

static void no_core_dump_and_no_child_has_it(void **state)
{
        _cleanup_(secret_free) Secret *secret = NULL;
        struct rlimit limit;
        char flags[512];
        int status;
        pid_t child;

        (void)state;
        assert_int_equal(secret_new_text("hidden", &secret), 0);
        read_flags(secret_data(secret), flags, sizeof(flags));
        assert_non_null(strstr(flags, " dd"));
        assert_non_null(strstr(flags, " wf"));
        assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
        if (LOCKS && limit.rlim_cur >= 65536)
                assert_non_null(strstr(flags, " lo"));

        child = fork();
        assert_true(child >= 0);
        if (child == 0)
                _exit(memcmp(secret_data(secret), "\0\0\0\0\0\0", 6) == 0 ? 0 : 1);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* In place of munmap(2) in what is tested (--wrap): sees what a mapping holds as it goes. */
int __real_munmap(void *place, size_t size);
int __wrap_munmap(void *place, size_t size);

static size_t bytes_given_back;
static bool given_back_clean;

int __wrap_munmap(void *place, size_t size)
{
        const char *bytes = place;

        bytes_given_back = size;
        given_back_clean = true;
        for (size_t i = 0; i < size; i++)
                given_back_clean &= bytes[i] == 0;
        return __real_munmap(place, size);
}

/* The mapping is given back, and cleansed. */
static void the_memory_goes_back(void **state)
{
        char flags[512];
        const char *data;
        Secret *secret;

        (void)state;
        assert_int_equal(secret_new_text("hidden", &secret), 0);
        data = secret_data(secret);
        bytes_given_back = 0;
        (void)secret_free(secret);
        assert_true(bytes_given_back > strlen("hidden"));
        assert_true(given_back_clean);
        read_flags(data, flags, sizeof(flags));
        assert_string_equal(flags, "");
}

static void the_process_is_not_dumped(void **state)
{
        struct rlimit limit;
        int status;
        pid_t child = fork();

        (void)state;
        assert_true(child >= 0);
        if (child == 0) {
                if (secret_protect_process(NULL) < 0 || getrlimit(RLIMIT_CORE, &limit) < 0)
                        _exit(1);
                _exit(limit.rlim_max == 0 ? 0 : 2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* FIPS 180-4's "abc"; RFC 4231, test case 2. */
static void digests_are_as_published(void **state)
{
        char hex[DIGEST_SHA256_HEX], *base64;
        Digest digest;

        (void)state;
        assert_int_equal(digest_sha256("abc", 3, &digest), 0);
        digest_format(&digest, hex);
        assert_string_equal(
                hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        base64 = digest_base64(&digest);
        assert_string_equal(base64, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        free(base64);
        assert_int_equal(
                digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, &digest), 0);
        digest_format(&digest, hex);
        assert_string_equal(
                hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TESTS_MAIN(cmocka_unit_test(a_secret_is_kept_and_not_shown),
        cmocka_unit_test(the_last_owner_ends_it),
        cmocka_unit_test(no_core_dump_and_no_child_has_it),
        cmocka_unit_test(the_memory_goes_back),
        cmocka_unit_test(the_process_is_not_dumped),
        cmocka_unit_test(digests_are_as_published))
