/* Keys, the pool that makes them, profiles and certificates: pure, and from two RSA keys in all. */

#include "base/text.h"
#include "certs/docker.h"
#include "certs/flocker.h"
#include "certs/pool.h"
#include "certs/set.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW      (1795521600 * USEC_PER_SEC) /* 2026-11-24T12:00:00Z */
#define YEAR2049 (2492000000 * USEC_PER_SEC) /* 2048-12-19 */

static Key *rsa_key(void)
{
        static Key *key;

        if (!key)
                assert_int_equal(key_make(KEY_RSA_4096, NULL, &key, NULL), 0);
        return key_ref(key);
}

static Key *curve_key(void)
{
        Key *key = NULL;

        assert_int_equal(key_make(KEY_ECDSA_P256, NULL, &key, NULL), 0);
        return key;
}

static Secret *secret(const char *text)
{
        Secret *made = NULL;

        assert_int_equal(secret_new_text(text, &made), 0);
        return made;
}

static int parse(const Secret *pem, const Secret *passphrase, Key **ret, Error *ret_error)
{
        return key_parse("k.pem", secret_data(pem), secret_size(pem), passphrase, ret, ret_error);
}

static void keys_are_what_was_asked_for(void **state)
{
        _cleanup_(key_free) Key *rsa = rsa_key(), *curve = curve_key();
        char text[KEY_DESCRIPTION_MAX];

        (void)state;
        assert_true(key_is(rsa, KEY_RSA_4096));
        assert_false(key_is(rsa, KEY_ECDSA_P256));
        assert_true(key_is(curve, KEY_ECDSA_P256));
        assert_string_equal(key_describe(rsa, text), "RSA 4096");
        assert_string_equal(key_describe(curve, text), "ECDSA prime256v1");
        assert_true(key_equal(rsa, rsa));
        assert_false(key_equal(rsa, curve));
}

static void a_key_is_written_and_read(void **state)
{
        _cleanup_(key_free) Key *key = curve_key(), *back = NULL;
        _cleanup_(secret_free) Secret *pem = NULL;
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(key_format(key, NULL, &pem, &error), 0);
        assert_true(text_starts(secret_data(pem), "-----BEGIN PRIVATE KEY-----\n"));
        assert_int_equal(parse(pem, NULL, &back, &error), 0);
        assert_true(key_equal(key, back));
}

static void a_passphrase_is_wanted_and_checked(void **state)
{
        _cleanup_(key_free) Key *key = curve_key(), *back = NULL;
        _cleanup_(secret_free) Secret *pem = NULL, *right = secret("correct horse"),
                                      *wrong = secret("battery staple");
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(key_format(key, right, &pem, &error), 0);
        assert_true(text_starts(secret_data(pem), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert_int_equal(parse(pem, NULL, &back, &error), -EKEYREJECTED);
        assert_says(
                &error, "cannot read 'k.pem': the key is encrypted, and no passphrase was given");
        assert_int_equal(parse(pem, wrong, &back, &error), -EKEYREJECTED);
        assert_says(&error, "the passphrase does not fit");
        assert_null(back);
        assert_int_equal(parse(pem, right, &back, &error), 0);
        assert_true(key_equal(key, back));
}

static void what_is_no_key_is_refused(void **state)
{
        static char large[KEY_PEM_MAX + 2];
        static const struct {
                const char *text;
                int r;
                const char *sentence;
        } cases[] = {
                {"", -EBADMSG, "cannot read 'k.pem': it is empty"},
                {"junk", -EBADMSG, "it is no private key in PEM"},
                {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                        -EBADMSG,
                        "it is no private key in PEM"},
                {large, -EFBIG, "a private key has at most 65536 bytes"},
        };

        (void)state;
        memset(large, 'x', sizeof(large) - 1);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Error error = ERROR_INIT;
                Key *key = NULL;

                assert_int_equal(
                        key_parse(
                                "k.pem", cases[i].text, strlen(cases[i].text), NULL, &key, &error),
                        cases[i].r);
                assert_says(&error, cases[i].sentence);
                assert_null(key);
        }
}

static void an_unwanted_key_is_given_up(void **state)
{
        atomic_bool cancelled = true;
        Error error = ERROR_INIT;
        Key *key = NULL;

        (void)state;
        assert_int_equal(key_make(KEY_RSA_4096, &cancelled, &key, &error), -ECANCELED);
        assert_says(&error, "cannot make an rsa-4096 key: it is wanted no longer");
        assert_null(key);
}

static void the_pool_gives_first_what_it_was_given(void **state)
{
        _cleanup_(key_free) Key *rsa = rsa_key(), *curve = curve_key(), *taken = NULL,
                                *again = NULL, *made = NULL;
        _cleanup_(key_pool_free) KeyPool *pool = NULL;
        Usec soon = clock_deadline(&clock_system, USEC_PER_SEC);

        (void)state;
        assert_int_equal(key_pool_new(1, &pool, NULL), 0);
        assert_int_equal(key_pool_add(pool, KEY_RSA_4096, key_ref(rsa)), 0);
        assert_int_equal(key_pool_add(pool, KEY_ECDSA_P256, key_ref(curve)), 0);
        assert_int_equal(key_pool_request(pool, KEY_RSA_4096, 1, NULL), 0);
        assert_int_equal(key_pool_take(pool, KEY_RSA_4096, soon, &taken, NULL), 0);
        assert_true(key_equal(taken, rsa));
        assert_int_equal(key_pool_take(pool, KEY_ECDSA_P256, soon, &again, NULL), 0);
        assert_true(key_equal(again, curve));
        assert_int_equal(key_pool_take(pool, KEY_ECDSA_P256, soon, &made, NULL), 0);
        assert_false(key_equal(made, curve));
}

static void the_pool_keeps_to_the_deadline_and_ends_at_once(void **state)
{
        Usec began = clock_now(&clock_system);
        Error error = ERROR_INIT;
        KeyPool *pool = NULL;
        Key *key = NULL;

        (void)state;
        assert_int_equal(key_pool_new(2, &pool, NULL), 0);
        assert_int_equal(key_pool_request(pool, KEY_RSA_4096, 50, NULL), 0);
        assert_int_equal(key_pool_take(pool, KEY_RSA_4096, began, &key, &error), -ETIMEDOUT);
        assert_says(&error, "cannot make an rsa-4096 key: it was not done in time");
        assert_null(key);
        (void)key_pool_free(pool);
        /* 50 keys are half a minute of two cores. */
        assert_in_range(clock_now(&clock_system) - began, 0, 5 * USEC_PER_SEC);
}

static void the_pool_makes_what_was_requested(void **state)
{
        _cleanup_(key_free) Key *kept = rsa_key(), *key = NULL;
        _cleanup_(key_pool_free) KeyPool *pool = NULL;
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(key_pool_new(0, &pool, NULL), 0);
        assert_int_equal(key_pool_request(pool, KEY_RSA_4096, 1, NULL), 0);
        assert_int_equal(key_pool_take(pool, KEY_RSA_4096, USEC_INFINITY, &key, &error), 0);
        assert_true(key_is(key, KEY_RSA_4096));
        assert_false(key_equal(key, kept));
}

/* The certificate's DER; the caller frees it. */
static uint8_t *der_of(const Certificate *certificate, size_t *ret_size)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        _cleanup_(buffer_done) Buffer base64 = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        void *der = NULL;

        assert_int_equal(certificate_format(certificate, &pem, NULL), 0);
        for (const char *c = strchr(buffer_text(&pem), '\n'); *c != '-'; c++)
                if (*c != '\n')
                        assert_int_equal(buffer_append(&base64, c, 1), 0);
        assert_int_equal(text_base64_decode(base64.data, base64.size, &der, ret_size), 0);
        return der;
}

/* Offset of the bytes in the DER from `from` on; -1: they are not there. */
static ssize_t find(const Certificate *certificate, size_t from, const void *bytes, size_t size)
{
        size_t total = 0;
        _cleanup_(free) uint8_t *der = der_of(certificate, &total);
        const uint8_t *found = memmem(der + from, total - from, bytes, size);

        return found ? found - der : -1;
}

static void the_cluster_authority_has_its_extensions_in_order(void **state)
{
        static const uint8_t order[] = {0x13, 0x0F, 0x0E, 0x23}; /* id-ce 19, 15, 14, 35 */
        static const uint8_t version3[] = {0xA0, 0x03, 0x02, 0x01, 0x02};
        _cleanup_(pair_done) Pair pair = {};
        ssize_t at = 0;

        (void)state;
        assert_int_equal(flocker_make_authority("prod", rsa_key(), NOW, &pair, NULL), 0);
        assert_true(find(pair.certificate, 0, version3, sizeof(version3)) > 0);
        for (size_t i = 0; i < sizeof(order); i++) {
                const uint8_t oid[] = {0x06, 0x03, 0x55, 0x1D, order[i]};

                at = find(pair.certificate, (size_t)at, oid, sizeof(oid));
                assert_true(at > 0);
        }
        assert_int_equal(find(pair.certificate, (size_t)at + 5, "\x06\x03\x55\x1D", 4), -1);
}

static void a_node_has_no_extensions(void **state)
{
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        _cleanup_(pair_done) Pair authority = {}, node = {};
        char uuid[FLOCKER_UUID_SIZE] = "";

        (void)state;
        assert_int_equal(flocker_make_authority("prod", rsa_key(), NOW, &authority, NULL), 0);
        assert_int_equal(flocker_make_node(&authority, rsa_key(), NOW, uuid, &node, NULL), 0);
        assert_int_equal(find(node.certificate, 0, "\x06\x03\x55\x1D", 4), -1);
        assert_int_equal(certificate_examine(node.certificate, &info, NULL), 0);
        assert_true(text_is_uuid(uuid));
        assert_true(text_starts(info.common_name, "node-"));
        assert_string_equal(info.common_name + 5, uuid);
        assert_true(certificate_set_recognize(&info) == &profiles[PROFILE_FLOCKER_NODE]);
        assert_int_equal(strlen(info.serial), 32);
        assert_in_range(info.serial[0], '4', '7'); /* positive, of 16 bytes */
        assert_int_equal(info.not_before, NOW - USEC_PER_HOUR);
        assert_int_equal(info.not_after, NOW - USEC_PER_HOUR + 20 * 365 * USEC_PER_DAY);
        assert_int_equal(
                certificate_verify(node.certificate, authority.certificate, false, NOW, NULL), 0);
}

static void flocker_takes_rsa_alone(void **state)
{
        _cleanup_(pair_done) Pair pair = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(flocker_make_authority("prod", curve_key(), NOW, &pair, &error), -EINVAL);
        assert_says(&error, "Flocker wants RSA keys of 4096 bits");
        assert_null(pair.certificate);
}

static void times_change_their_kind_with_2050(void **state)
{
        _cleanup_(pair_done) Pair authority = {};

        (void)state;
        assert_int_equal(docker_make_authority("prod", curve_key(), YEAR2049, &authority, NULL), 0);
        assert_true(find(authority.certificate,
                            0,
                            "\x17\x0D"
                            "481219",
                            8) > 0);
        assert_true(find(authority.certificate,
                            0,
                            "\x18\x0F"
                            "2058",
                            6) > 0);
}

static void nothing_is_certified_by_a_clock_that_has_lost_the_time(void **state)
{
        static const Usec lost[] = {0, USEC_PER_HOUR / 2, PROFILE_WALL_MIN - 1};
        _cleanup_(pair_done) Pair authority = {};
        Certificate *renewed = NULL;

        (void)state;
        assert_int_equal(
                docker_make_authority("c", curve_key(), PROFILE_WALL_MIN, &authority, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(lost); i++) {
                Error error = ERROR_INIT;
                Pair pair = {};

                assert_int_equal(
                        docker_make_authority("c", curve_key(), lost[i], &pair, &error), -EDOM);
                assert_says(&error, "cannot certify anything at ");
                assert_says(&error, ": this machine's clock is wrong; set it");
                assert_null(pair.certificate);
                assert_int_equal(certificate_renew(authority.certificate,
                                         authority.certificate,
                                         authority.key,
                                         lost[i],
                                         &renewed,
                                         &error),
                        -EDOM);
                assert_null(renewed);
        }
}

static void an_engine_has_each_name_once(void **state)
{
        static const char *const names[] = {
                "10.0.0.1", "fd00::1", "a.example", "10.0.0.1", "localhost", NULL};
        static const char *const wanted[] = {"IP:10.0.0.1",
                "IP:fd00::1",
                "DNS:a.example",
                "DNS:localhost",
                "IP:127.0.0.1",
                "IP:::1"};
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        _cleanup_(pair_done) Pair authority = {}, node = {};

        (void)state;
        assert_int_equal(docker_make_authority("prod", curve_key(), NOW, &authority, NULL), 0);
        assert_int_equal(docker_make_node(&authority, names, curve_key(), NOW, &node, NULL), 0);
        assert_int_equal(certificate_examine(node.certificate, &info, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(wanted); i++)
                assert_string_equal(info.names[i], wanted[i]);
        assert_null(info.names[ELEMENTS(wanted)]);
        assert_string_equal(info.common_name, "10.0.0.1");
        assert_true(info.server_auth && info.client_auth && !info.authority);
        assert_int_equal(
                certificate_verify(node.certificate, authority.certificate, true, NOW, NULL), 0);
}

static void too_many_names_are_refused(void **state)
{
        const char *names[CERTIFICATE_NAMES_MAX + 1] = {};
        char texts[CERTIFICATE_NAMES_MAX][16];
        _cleanup_(pair_done) Pair authority = {}, node = {};
        Error error = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < CERTIFICATE_NAMES_MAX; i++) {
                (void)snprintf(texts[i], sizeof(texts[i]), "host-%zu", i);
                names[i] = texts[i];
        }
        assert_int_equal(docker_make_authority("prod", curve_key(), NOW, &authority, NULL), 0);
        assert_int_equal(
                docker_make_node(&authority, names, curve_key(), NOW, &node, &error), -EINVAL);
        assert_says(&error, "cannot certify 'host-0': it has more than 64 names");
}

static void names_are_addresses_or_of_the_domain_name_system(void **state)
{
        static const struct {
                const char *name;
                int r;
        } cases[] = {
                {"10.0.0.1", 0},
                {"::1", 0},
                {"a", 0},
                {"ip-10-0-0-1.us-west-1.compute.internal", 0},
                {"under_score.example", 0},
                {"7.example", 0},
                {"", -EINVAL},
                {".", -EINVAL},
                {"a.", -EINVAL},
                {"a..b", -EINVAL},
                {"-a", -EINVAL},
                {"a-.b", -EINVAL},
                {"a b", -EINVAL},
                {"*.example", -EINVAL},
                {"10.0.0.300", -EINVAL},
                {"1234567890123456789012345678901234567890123456789012345678901234.a", -EINVAL},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (certificate_check_name(cases[i].name, NULL) != cases[i].r)
                        fail_msg("'%s': expected %d", cases[i].name, cases[i].r);
}

static void renewing_keeps_all_but_serial_and_dates(void **state)
{
        static const char *const names[] = {"10.0.0.1", NULL};
        _cleanup_(certificate_info_done) CertificateInfo before = {}, after = {};
        _cleanup_(certificate_free) Certificate *renewed = NULL;
        _cleanup_(pair_done) Pair authority = {}, node = {};
        Usec later = NOW + 400 * USEC_PER_DAY;

        (void)state;
        assert_int_equal(docker_make_authority("prod", curve_key(), NOW, &authority, NULL), 0);
        assert_int_equal(docker_make_node(&authority, names, curve_key(), NOW, &node, NULL), 0);
        assert_int_equal(certificate_renew(node.certificate,
                                 authority.certificate,
                                 authority.key,
                                 later,
                                 &renewed,
                                 NULL),
                0);
        assert_int_equal(certificate_examine(node.certificate, &before, NULL), 0);
        assert_int_equal(certificate_examine(renewed, &after, NULL), 0);
        assert_string_equal(after.subject, before.subject);
        assert_string_equal(after.usages, before.usages);
        assert_string_equal(after.names[0], before.names[0]);
        assert_string_not_equal(after.serial, before.serial);
        assert_int_equal(after.not_before, later - USEC_PER_HOUR);
        assert_int_equal(after.not_after - after.not_before, before.not_after - before.not_before);
        assert_int_equal(
                certificate_verify(node.certificate, authority.certificate, true, later, NULL),
                -EKEYREJECTED);
        assert_int_equal(certificate_verify(renewed, authority.certificate, true, later, NULL), 0);
}

static void days_are_counted_down_through_zero(void **state)
{
        (void)state;
        assert_int_equal(certificate_days_left(NOW + USEC_PER_DAY, NOW), 1);
        assert_int_equal(certificate_days_left(NOW + USEC_PER_DAY - 1, NOW), 0);
        assert_int_equal(certificate_days_left(NOW - 1, NOW), -1);
        assert_int_equal(certificate_days_left(NOW - USEC_PER_DAY, NOW), -2);
}

TESTS_MAIN(cmocka_unit_test(keys_are_what_was_asked_for),
        cmocka_unit_test(a_key_is_written_and_read),
        cmocka_unit_test(a_passphrase_is_wanted_and_checked),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(an_unwanted_key_is_given_up),
        cmocka_unit_test(the_pool_gives_first_what_it_was_given),
        cmocka_unit_test(the_pool_keeps_to_the_deadline_and_ends_at_once),
        cmocka_unit_test(the_pool_makes_what_was_requested),
        cmocka_unit_test(the_cluster_authority_has_its_extensions_in_order),
        cmocka_unit_test(a_node_has_no_extensions),
        cmocka_unit_test(flocker_takes_rsa_alone),
        cmocka_unit_test(times_change_their_kind_with_2050),
        cmocka_unit_test(nothing_is_certified_by_a_clock_that_has_lost_the_time),
        cmocka_unit_test(an_engine_has_each_name_once),
        cmocka_unit_test(too_many_names_are_refused),
        cmocka_unit_test(names_are_addresses_or_of_the_domain_name_system),
        cmocka_unit_test(renewing_keeps_all_but_serial_and_dates),
        cmocka_unit_test(days_are_counted_down_through_zero))
