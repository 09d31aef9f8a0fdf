/* Credentials of an instance profile as they grow old, in virtual time. */

#include "aws/credentials.h"
#include "tests/unit/scripted-server.h"
#include "tests/unit/virtual-clock.h"

/* The metadata service; `userdata` is a bool: it is ill. */
static void serve_role(ScriptedServer *server, const char *head, Buffer *answer)
{
        if (*(const bool *)server->userdata)
                scripted_answer(answer, 503, "", "");
        else if (text_starts(head, "PUT "))
                scripted_answer(answer, 200, "", "token");
        else if (text_starts(head, "GET /latest/meta-data/iam/security-credentials/ "))
                scripted_answer(answer, 200, "", "role");
        else
                scripted_answer(answer,
                        200,
                        "",
                        "{\"Code\": \"Success\", \"AccessKeyId\": \"ASIA\","
                        " \"SecretAccessKey\": \"s\", \"Token\": \"t\","
                        " \"Expiration\": \"2026-11-24T13:00:00Z\"}");
}

typedef struct Instance {
        ScriptedServer server;
        bool ill;
        VirtualClock clock;
        uint64_t seed;
        Random random;
        HttpClient *http;
        Metadata *metadata;
        AwsCredentialsProvider *provider;
        Error error;
} Instance;

static void instance_start(Instance *instance)
{
        static char *const environment[] = {NULL};
        const Clock *clock = &instance->clock.clock;

        virtual_clock_init(&instance->clock);
        instance->random = (Random){.next = counting_next, .userdata = &instance->seed};
        scripted_server_start(&instance->server, serve_role, &instance->ill);
        assert_int_equal(http_client_new(&(HttpOptions){.user_agent = "test", .clock = clock},
                                 &instance->http,
                                 &instance->error),
                0);
        assert_int_equal(metadata_new(
                                 &(MetadataOptions){
                                         .http = instance->http,
                                         .clock = clock,
                                         .random = &instance->random,
                                         .endpoint = instance->server.url,
                                 },
                                 &instance->metadata,
                                 &instance->error),
                0);
        assert_int_equal(aws_credentials_provider_new(
                                 &(AwsCredentialsOptions){
                                         .clock = clock,
                                         .random = &instance->random,
                                         .environment = environment,
                                         .metadata = instance->metadata,
                                 },
                                 &instance->provider,
                                 &instance->error),
                0);
}

static void instance_stop(Instance *instance)
{
        scripted_server_stop(&instance->server);
        instance->provider = aws_credentials_provider_free(instance->provider);
        instance->metadata = metadata_free(instance->metadata);
        instance->http = http_client_free(instance->http);
}
DEFINE_CLEANUP_IN_PLACE(Instance, instance_stop);

/* Asks with a minute to spare; how long it took is in *ret_took. */
static int ask(Instance *instance, Usec *ret_took)
{
        const Clock *clock = &instance->clock.clock;
        const AwsCredentials *credentials = NULL;
        Usec began = clock_now(clock);
        int r;

        r = aws_credentials_get(instance->provider,
                clock_deadline(clock, USEC_PER_MINUTE),
                &credentials,
                &instance->error);
        if (r == 0)
                assert_string_equal(credentials->access_key_id, "ASIA");
        *ret_took = clock_now(clock) - began;
        return r;
}

static void pass(Instance *instance, Usec span)
{
        virtual_sleep_until(&instance->clock, instance->clock.now + span);
}

/* An hour's credentials are renewed five minutes before their end. If that fails, they still hold:
 * the request that wanted them must not have lost its own time to it. Once they have ended there is
 * nothing to fall back on, and it is waited for. */
static void a_renewal_that_fails_costs_little(void **state)
{
        _cleanup_(instance_stop) Instance instance = {};
        Usec took;

        (void)state;
        instance_start(&instance);
        assert_int_equal(ask(&instance, &took), 0);

        instance.ill = true;
        pass(&instance, 56 * USEC_PER_MINUTE);
        assert_int_equal(ask(&instance, &took), 0);
        assert_in_range(took, 0, 5 * USEC_PER_SEC);

        pass(&instance, 10 * USEC_PER_MINUTE);
        assert_true(ask(&instance, &took) < 0);
        assert_in_range(took, 30 * USEC_PER_SEC, USEC_PER_MINUTE);
}

TESTS_MAIN(cmocka_unit_test(a_renewal_that_fails_costs_little))
