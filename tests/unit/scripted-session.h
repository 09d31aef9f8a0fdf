/* A session of AWS in virtual time, with a server that does as the test scripts it. */

#pragma once

#include "aws/session.h"
#include "tests/unit/scripted-server.h"
#include "tests/unit/virtual-clock.h"

typedef struct ScriptedSession {
        VirtualClock clock;
        uint64_t seed;
        Random random;
        ScriptedServer server;
        HttpClient *http;
        AwsCredentialsProvider *credentials;
        AwsSession *session;
        Error error;
} ScriptedSession;

static char scripted_key_id[] = "AWS_ACCESS_KEY_ID=AKIA";
static char scripted_key[] = "AWS_SECRET_ACCESS_KEY=s";
static char *const scripted_environment[] = {scripted_key_id, scripted_key, NULL};

/* `userdata` is the script's, as server->userdata. */
static inline void scripted_session_start(
        ScriptedSession *scripted, ScriptedAnswer script, void *userdata)
{
        *scripted = (ScriptedSession){};
        virtual_clock_init(&scripted->clock);
        scripted->random = (Random){.next = counting_next, .userdata = &scripted->seed};
        scripted_server_start(&scripted->server, script, userdata);
        assert_int_equal(http_client_new(&(HttpOptions){.user_agent = "test",
                                                 .clock = &scripted->clock.clock},
                                 &scripted->http,
                                 &scripted->error),
                0);
        assert_int_equal(aws_credentials_provider_new(
                                 &(AwsCredentialsOptions){
                                         .clock = &scripted->clock.clock,
                                         .random = &scripted->random,
                                         .environment = scripted_environment,
                                 },
                                 &scripted->credentials,
                                 &scripted->error),
                0);
        assert_int_equal(aws_session_new(
                                 &(AwsSessionOptions){
                                         .http = scripted->http,
                                         .credentials = scripted->credentials,
                                         .clock = &scripted->clock.clock,
                                         .random = &scripted->random,
                                         .region = "us-east-1",
                                 },
                                 &scripted->session,
                                 &scripted->error),
                0);
}

/* Also after a test that failed anywhere; more than once is fine. */
static inline void scripted_session_stop(ScriptedSession *scripted)
{
        scripted->session = aws_session_free(scripted->session);
        scripted->credentials = aws_credentials_provider_free(scripted->credentials);
        scripted->http = http_client_free(scripted->http);
        scripted_server_stop(&scripted->server);
}
