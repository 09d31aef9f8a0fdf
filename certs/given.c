#include "certs/given.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Given {
        char *name;
        Key *key;
} Given;

typedef struct Giving {
        const char *folder;
        Given *keys;
        size_t count;
} Giving;

static void giving_done(Giving *giving)
{
        for (size_t i = 0; i < giving->count; i++) {
                free(giving->keys[i].name);
                (void)key_free(giving->keys[i].key);
        }
        free(giving->keys);
}
DEFINE_CLEANUP_IN_PLACE(Giving, giving_done);

static int note_name(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        Giving *giving = userdata;
        Given *keys = reallocarray(giving->keys, giving->count + 1, sizeof(*keys));

        (void)folder_fd;
        if (!keys)
                return error_set(ret_error, -ENOMEM, "cannot list '%s': %m", giving->folder);
        giving->keys = keys;
        keys[giving->count] = (Given){.name = text_format("%s/%s", giving->folder, name)};
        if (!keys[giving->count].name)
                return error_set(ret_error, -ENOMEM, "cannot list '%s': %m", giving->folder);
        giving->count++;
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(((const Given *)a)->name, ((const Given *)b)->name);
}

static int read_key(Given *given, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(2 * KEY_PEM_MAX);
        int r;

        r = file_read(AT_FDCWD, given->name, KEY_PEM_MAX, &pem, ret_error);
        if (r == 0)
                r = key_parse(
                        given->name, buffer_text(&pem), pem.size, NULL, &given->key, ret_error);
        return r;
}

static int check_kind(const Given *given, KeyKind *ret, Error *ret_error)
{
        char description[KEY_DESCRIPTION_MAX];

        for (int kind = 0; kind < _KEY_KINDS; kind++)
                if (key_is(given->key, (KeyKind)kind)) {
                        *ret = (KeyKind)kind;
                        return 0;
                }
        return error_set(ret_error,
                -EBADMSG,
                "cannot use '%s': its key is %s; expected RSA 4096 or ECDSA prime256v1",
                given->name,
                key_describe(given->key, description));
}

static int check_single(const Giving *giving, size_t index, Error *ret_error)
{
        for (size_t i = 0; i < index; i++)
                if (giving->keys[i].key && key_equal(giving->keys[i].key, giving->keys[index].key))
                        return error_set(ret_error,
                                -EEXIST,
                                "cannot use '%s': it is the same key as '%s'",
                                giving->keys[index].name,
                                giving->keys[i].name);
        return 0;
}

static int give(Giving *giving, const size_t wanted[_KEY_KINDS], KeyPool *pool, Error *ret_error)
{
        size_t given[_KEY_KINDS] = {};

        for (size_t i = 0; i < giving->count; i++) {
                KeyKind kind = KEY_RSA_4096;
                int r;

                r = read_key(&giving->keys[i], ret_error);
                if (r == 0)
                        r = check_kind(&giving->keys[i], &kind, ret_error);
                if (r == 0)
                        r = check_single(giving, i, ret_error);
                if (r < 0)
                        return r;
                if (given[kind] == wanted[kind])
                        continue;
                given[kind]++;
                r = key_pool_add(pool, kind, key_ref(giving->keys[i].key));
                if (r < 0)
                        return error_set(ret_error, r, "cannot use '%s': %m", giving->keys[i].name);
        }

        for (size_t kind = 0; kind < _KEY_KINDS; kind++)
                if (given[kind] < wanted[kind])
                        return error_set(ret_error,
                                -ENOENT,
                                "cannot use the keys in '%s': %zu of kind %s are wanted, %zu are "
                                "there",
                                giving->folder,
                                wanted[kind],
                                key_kind_names[kind],
                                given[kind]);
        return 0;
}

int given_keys_load(
        const char *folder, const size_t wanted[_KEY_KINDS], KeyPool *pool, Error *ret_error)
{
        _cleanup_(giving_done) Giving giving = {.folder = folder};
        int r;

        r = folder_list(AT_FDCWD, folder, GIVEN_KEYS_MAX, note_name, &giving, ret_error);
        if (r < 0)
                return r;
        if (giving.count > 0)
                qsort(giving.keys, giving.count, sizeof(*giving.keys), compare_names);
        return give(&giving, wanted, pool, ret_error);
}
