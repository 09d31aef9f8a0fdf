/* Error answers of AWS: XML of S3 and the Query protocol, JSON. */

#include "aws/fault.h"
#include "base/xml.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(http_response_done)
                HttpResponse response = {.status = 403, .body = BUFFER_INIT(1U << 20)};
        _cleanup_(xml_free) XmlElement *root = NULL;
        char text[AWS_FAULT_TEXT_MAX];
        Error error = ERROR_INIT;
        AwsFault fault;

        refused_well(xml_parse("fuzz", (const char *)data, size, &root, &error), &error);
        if (buffer_append(&response.body, data, size) < 0)
                return 0;
        http_response_keep(&response, (const char *)data, size);
        aws_fault_read(&response, &fault);
        (void)aws_fault_format(&fault, text);
        if (!text_is_utf8(text, strlen(text)))
                abort();
        (void)aws_fault_kind(&fault);
        return 0;
}
