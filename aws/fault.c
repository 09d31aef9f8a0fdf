#include "aws/fault.h"

#include "base/json.h"
#include "base/text.h"
#include "base/xml.h"

#include <stdio.h>
#include <string.h>

static const struct {
        const char *code;
        AwsFaultKind kind;
} kinds[] = {
        {"RequestTimeout", AWS_FAULT_TRANSIENT},
        {"RequestTimeoutException", AWS_FAULT_TRANSIENT},
        {"PriorRequestNotComplete", AWS_FAULT_TRANSIENT},
        {"ConditionalRequestConflict", AWS_FAULT_TRANSIENT},
        {"OperationAborted", AWS_FAULT_TRANSIENT},
        {"Throttling", AWS_FAULT_THROTTLED},
        {"ThrottlingException", AWS_FAULT_THROTTLED},
        {"ThrottledException", AWS_FAULT_THROTTLED},
        {"RequestThrottled", AWS_FAULT_THROTTLED},
        {"RequestThrottledException", AWS_FAULT_THROTTLED},
        {"TooManyRequestsException", AWS_FAULT_THROTTLED},
        {"ProvisionedThroughputExceededException", AWS_FAULT_THROTTLED},
        {"TransactionInProgressException", AWS_FAULT_THROTTLED},
        {"RequestLimitExceeded", AWS_FAULT_THROTTLED},
        {"BandwidthLimitExceeded", AWS_FAULT_THROTTLED},
        {"LimitExceededException", AWS_FAULT_THROTTLED},
        {"SlowDown", AWS_FAULT_THROTTLED},
        {"EC2ThrottledException", AWS_FAULT_THROTTLED},
        {"RequestTimeTooSkewed", AWS_FAULT_SKEWED},
        {"RequestExpired", AWS_FAULT_SKEWED},
        {"RequestInTheFuture", AWS_FAULT_SKEWED},
        {"InvalidSignatureException", AWS_FAULT_SKEWED},
        {"SignatureDoesNotMatch", AWS_FAULT_SKEWED},
        {"AuthFailure", AWS_FAULT_SKEWED},
        {"ExpiredToken", AWS_FAULT_EXPIRED_TOKEN},
        {"ExpiredTokenException", AWS_FAULT_EXPIRED_TOKEN},
        {"TokenRefreshRequired", AWS_FAULT_EXPIRED_TOKEN},
};

AwsFaultKind aws_fault_kind(const AwsFault *fault)
{
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (text_equal(kinds[i].code, fault->code))
                        return kinds[i].kind;

        if (fault->status == 429)
                return AWS_FAULT_THROTTLED;
        if (fault->status == 500 || fault->status == 502 || fault->status == 503 ||
                fault->status == 504)
                return AWS_FAULT_TRANSIENT;
        if (fault->status == 403 && !fault->code[0]) /* a HEAD's answer cannot say more */
                return AWS_FAULT_SKEWED;
        if (fault->status == 409 && !fault->code[0]) /* a conflict of writers, most likely */
                return AWS_FAULT_TRANSIENT;
        return AWS_FAULT_FINAL;
}

/* A copy that is cut, flat, and UTF-8 or nothing. */
static void put(char *place, size_t size, const char *text)
{
        size_t length;

        if (!text || !text_is_utf8(text, strlen(text)))
                return;
        length = text_cut(text, strlen(text), size - 1);
        memcpy(place, text, length);
        place[length] = '\0';
        text_flatten(place);
}

/* S3: <Error><Code>; Query: <ErrorResponse><Error><Code>, <Response><Errors><Error><Code> (EC2). */
static void read_xml(const char *text, size_t size, AwsFault *ret)
{
        _cleanup_(xml_free) XmlElement *root = NULL;
        const XmlElement *error, *inner;

        if (xml_parse("the answer", text, size, &root, NULL) < 0)
                return;
        error = root;
        inner = xml_child(xml_child(root, "Errors"), "Error");
        if (inner)
                error = inner;
        else if (xml_child(root, "Error"))
                error = xml_child(root, "Error");

        put(ret->code, sizeof(ret->code), xml_child_text(error, "Code"));
        put(ret->message, sizeof(ret->message), xml_child_text(error, "Message"));
        put(ret->region, sizeof(ret->region), xml_child_text(error, "Region"));
        put(ret->request_id, sizeof(ret->request_id), xml_child_text(error, "RequestId"));
        if (!ret->request_id[0])
                put(ret->request_id, sizeof(ret->request_id), xml_child_text(root, "RequestId"));
        if (!ret->request_id[0])
                put(ret->request_id, sizeof(ret->request_id), xml_child_text(root, "RequestID"));
}

/* "com.amazonaws.x#NoSuchThing:http://…" is NoSuchThing. */
static void put_type(AwsFault *ret, const char *type)
{
        const char *hash = type ? strchr(type, '#') : NULL;

        put(ret->code, sizeof(ret->code), hash ? hash + 1 : type);
        ret->code[strcspn(ret->code, ":")] = '\0';
}

static void read_json(const char *text, size_t size, AwsFault *ret)
{
        _cleanup_(json_free) Json *document = NULL;
        const char *message;

        if (json_parse("the answer", text, size, &document, NULL) < 0 || !json_is_object(document))
                return;
        message = json_text(json_member(document, "message"));
        if (!message)
                message = json_text(json_member(document, "Message"));
        if (!ret->code[0])
                put_type(ret, json_text(json_member(document, "__type")));
        put(ret->message, sizeof(ret->message), message);
}

void aws_fault_read(const HttpResponse *response, AwsFault *ret)
{
        const char *text = buffer_text(&response->body);
        const char *request_id = http_response_header(response, "x-amz-request-id");

        *ret = (AwsFault){.status = response->status};
        put_type(ret, http_response_header(response, "x-amzn-errortype"));
        if (text[0] == '<')
                read_xml(text, response->body.size, ret);
        else if (text[0] == '{')
                read_json(text, response->body.size, ret);

        put(ret->region,
                sizeof(ret->region),
                http_response_header(response, "x-amz-bucket-region"));
        if (!request_id)
                request_id = http_response_header(response, "x-amzn-requestid");
        if (!ret->request_id[0])
                put(ret->request_id, sizeof(ret->request_id), request_id);
}

const char *aws_fault_format(const AwsFault *fault, char place[AWS_FAULT_TEXT_MAX])
{
        (void)snprintf(place,
                AWS_FAULT_TEXT_MAX,
                "%u%s%s%s%s%s%s%s",
                fault->status,
                fault->code[0] ? " " : "",
                fault->code,
                fault->message[0] ? ": " : "",
                fault->message,
                fault->request_id[0] ? " (request " : "",
                fault->request_id,
                fault->request_id[0] ? ")" : "");
        return place;
}
