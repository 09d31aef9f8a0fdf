/* URLs of HTTP and of stores, keys and regions. */

#include "net/http.h"
#include "s3/address.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(free) char *text = as_text(data, size), *bucket = NULL, *prefix = NULL,
                             *url = NULL;
        _cleanup_(http_url_done) HttpUrl parts = {}, again = {};
        Error error = ERROR_INIT;

        refused_well(http_url_parse(text, &parts, &error), &error);
        refused_well(s3_store_url_parse(text, &bucket, &prefix, &error), &error);
        refused_well(aws_region_check(text, &error), &error);
        if (s3_key_check(text, NULL) == 0 && (s3_url(&(AwsEndpointOptions){.region = "us-east-1"},
                                                      "bucket",
                                                      text,
                                                      NULL,
                                                      &url,
                                                      &error) < 0 ||
                                                     http_url_parse(url, &again, &error) < 0))
                abort();
        return 0;
}
