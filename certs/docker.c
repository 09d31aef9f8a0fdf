#include "certs/docker.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static int complete(CertificateRequest *request,
        const Pair *authority,
        Key *take_key,
        Pair *ret,
        Error *ret_error)
{
        _cleanup_(key_free) Key *key = take_key;
        Certificate *certificate;
        int r;

        request->key = key;
        if (authority) {
                request->issuer = authority->certificate;
                request->issuer_key = authority->key;
        }
        r = certificate_make(request, &certificate, ret_error);
        if (r < 0)
                return r;
        *ret = (Pair){certificate, TAKE_PTR(key)};
        return 0;
}

int docker_make_authority(
        const char *cluster, Key *take_key, Usec wall, Pair *ret, Error *ret_error)
{
        CertificateRequest request = {
                .profile = PROFILE_DOCKER_CA,
                .common_name = cluster,
                .organizational_unit = "docker",
                .wall = wall,
        };

        return complete(&request, NULL, take_key, ret, ret_error);
}

/* Appends `name` to the NULL-ended list unless it is there; false if it is full. */
static bool add_name(const char *list[CERTIFICATE_NAMES_MAX + 1], const char *name)
{
        for (size_t i = 0; i < CERTIFICATE_NAMES_MAX; i++) {
                if (!list[i])
                        list[i] = name;
                if (text_equal(list[i], name))
                        return true;
        }
        return false;
}

/* The first that a subject can hold: nobody verifies by it. 127.0.0.1 always fits. */
static const char *choose_subject(const char *const *names)
{
        while (strlen(*names) > CERTIFICATE_CN_MAX && names[1])
                names++;
        return *names;
}

int docker_make_node(const Pair *authority,
        const char *const *names,
        Key *take_key,
        Usec wall,
        Pair *ret,
        Error *ret_error)
{
        static const char *const loopback[] = {"127.0.0.1", "::1", "localhost", NULL};
        const char *all[CERTIFICATE_NAMES_MAX + 1] = {};
        CertificateRequest request = {
                .profile = PROFILE_DOCKER_NODE,
                .names = all,
                .wall = wall,
        };
        bool fits = true;

        for (size_t i = 0; names[i]; i++)
                fits &= add_name(all, names[i]);
        for (size_t i = 0; loopback[i]; i++)
                fits &= add_name(all, loopback[i]);
        if (!fits) {
                (void)key_free(take_key);
                return error_set(ret_error,
                        -EINVAL,
                        "cannot certify '%s': it has more than %u names",
                        names[0],
                        CERTIFICATE_NAMES_MAX);
        }
        request.common_name = choose_subject(all);
        return complete(&request, authority, take_key, ret, ret_error);
}

int docker_make_client(const Pair *authority, Key *take_key, Usec wall, Pair *ret, Error *ret_error)
{
        CertificateRequest request = {
                .profile = PROFILE_DOCKER_CLIENT,
                .common_name = "client",
                .wall = wall,
        };

        return complete(&request, authority, take_key, ret, ret_error);
}
