#include "certs/flocker.h"

#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int make_uuid(char ret[FLOCKER_UUID_SIZE], Error *ret_error)
{
        uint8_t bytes[16];
        int r;

        r = random_get_bytes(bytes, sizeof(bytes), ret_error);
        if (r == 0)
                text_uuid4(bytes, ret);
        return r;
}

/* Gives the key and the new certificate to *ret, or the key back. */
static int complete(const CertificateRequest *request, Key *take_key, Pair *ret, Error *ret_error)
{
        _cleanup_(key_free) Key *key = take_key;
        Certificate *certificate;
        int r;

        if (!key_is(key, KEY_RSA_4096))
                return error_set(ret_error,
                        -EINVAL,
                        "cannot make the certificate '%s': Flocker wants RSA keys of 4096 bits",
                        request->common_name);

        r = certificate_make(request, &certificate, ret_error);
        if (r < 0)
                return r;
        *ret = (Pair){certificate, TAKE_PTR(key)};
        return 0;
}

/* The cluster's UUID is the authority's OU, and everyone's. */
static int complete_issued(const Pair *authority,
        CertificateRequest *request,
        Key *take_key,
        Pair *ret,
        Error *ret_error)
{
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        int r;

        r = certificate_examine(authority->certificate, &info, ret_error);
        if (r < 0) {
                (void)key_free(take_key);
                return r;
        }

        request->organizational_unit = info.organizational_unit;
        request->key = take_key;
        request->issuer = authority->certificate;
        request->issuer_key = authority->key;
        return complete(request, take_key, ret, ret_error);
}

int flocker_make_authority(
        const char *cluster, Key *take_key, Usec wall, Pair *ret, Error *ret_error)
{
        char uuid[FLOCKER_UUID_SIZE] = "";
        CertificateRequest request = {
                .profile = PROFILE_FLOCKER_CLUSTER,
                .common_name = cluster,
                .organizational_unit = uuid,
                .key = take_key,
                .wall = wall,
        };
        int r;

        r = make_uuid(uuid, ret_error);
        if (r < 0) {
                (void)key_free(take_key);
                return r;
        }
        return complete(&request, take_key, ret, ret_error);
}

int flocker_make_control(const Pair *authority,
        const char *address,
        Key *take_key,
        Usec wall,
        Pair *ret,
        Error *ret_error)
{
        const char *cn = profiles[PROFILE_FLOCKER_CONTROL].cn_prefix;
        const char *const names[] = {cn, address, NULL};
        CertificateRequest request = {
                .profile = PROFILE_FLOCKER_CONTROL,
                .common_name = cn,
                .names = names,
                .wall = wall,
        };

        return complete_issued(authority, &request, take_key, ret, ret_error);
}

int flocker_make_node(const Pair *authority,
        Key *take_key,
        Usec wall,
        char ret_uuid[FLOCKER_UUID_SIZE],
        Pair *ret,
        Error *ret_error)
{
        char uuid[FLOCKER_UUID_SIZE], cn[FLOCKER_UUID_SIZE + 16];
        CertificateRequest request = {
                .profile = PROFILE_FLOCKER_NODE,
                .common_name = cn,
                .wall = wall,
        };
        int r;

        r = make_uuid(uuid, ret_error);
        if (r < 0) {
                (void)key_free(take_key);
                return r;
        }
        (void)snprintf(cn, sizeof(cn), "%s%s", profiles[PROFILE_FLOCKER_NODE].cn_prefix, uuid);

        r = complete_issued(authority, &request, take_key, ret, ret_error);
        if (r == 0)
                memcpy(ret_uuid, uuid, sizeof(uuid));
        return r;
}

int flocker_make_user(const Pair *authority,
        const char *name,
        Key *take_key,
        Usec wall,
        Pair *ret,
        Error *ret_error)
{
        char cn[CERTIFICATE_CN_MAX + 16];
        CertificateRequest request = {
                .profile = PROFILE_FLOCKER_USER,
                .common_name = cn,
                .wall = wall,
        };

        (void)snprintf(cn, sizeof(cn), "%s%s", profiles[PROFILE_FLOCKER_USER].cn_prefix, name);
        return complete_issued(authority, &request, take_key, ret, ret_error);
}
