#include "agent/machine.h"

#include "aws/environment.h"

#define CONNECT_TIMEOUT (2 * USEC_PER_SEC) /* a missing security-group rule is silence */

static const char *get_proxy(const char *lower, const char *upper)
{
        const char *value = environment_get(NULL, lower);

        return value || !upper ? value : environment_get(NULL, upper);
}

int machine_open(Usec wait, Machine *ret, Error *ret_error)
{
        _cleanup_(machine_done) Machine machine = {};
        HttpProxies proxies = {
                .http = get_proxy("http_proxy", NULL),
                .https = get_proxy("https_proxy", "HTTPS_PROXY"),
                .none = get_proxy("no_proxy", "NO_PROXY"),
        };
        HttpOptions http = {
                .user_agent = "flocker-bootstrap/" VERSION,
                .proxies = &proxies,
                .clock = &clock_system,
                .connect_timeout = CONNECT_TIMEOUT,
        };
        MetadataOptions metadata = {.clock = &clock_system, .random = &random_system, .wait = wait};
        AwsCredentialsOptions credentials = {.clock = &clock_system, .random = &random_system};
        int r;

        r = http_client_new(&http, &machine.http, ret_error);
        metadata.http = machine.http;
        if (r == 0)
                r = metadata_new(&metadata, &machine.metadata, ret_error);
        credentials.metadata = machine.metadata;
        if (r == 0)
                r = aws_credentials_provider_new(&credentials, &machine.credentials, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_STRUCT(machine);
        return 0;
}

void machine_done(Machine *machine)
{
        machine->credentials = aws_credentials_provider_free(machine->credentials);
        machine->metadata = metadata_free(machine->metadata);
        machine->http = http_client_free(machine->http);
}
