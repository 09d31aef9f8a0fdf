/* cloud_strike: the faults of a rehearsal, as the services word them. */

#include "base/text.h"
#include "rehearsal/cloud-parts.h"
#include "rehearsal/fault.h"

#include <string.h>

typedef struct Words {
        unsigned status; /* of S3; the JSON services say 400 */
        const char *code, *json, *text;
} Words;

static const Words of_throttle = {
        503, "SlowDown", "ThrottlingException", "Please reduce your request rate."};
static const Words of_deny = {403,
        "AccessDenied",
        "AccessDeniedException",
        "Access Denied: the rehearsal was told to deny it"};
static const Words of_expire = {
        400, "ExpiredToken", "ExpiredTokenException", "The provided token has expired."};
static const Words of_handle = {403, "AccessDenied", "AccessDenied", "Request has expired"};
static const Words of_stale = {
        404, "NoSuchKey", "ResourceNotFoundException", "The specified key does not exist."};

static const char *name_status(unsigned status)
{
        switch (status) {
        case 403:
                return "AccessDenied";
        case 404:
                return "NoSuchKey";
        case 429:
                return "TooManyRequestsException";
        case 503:
                return "ServiceUnavailable";
        default:
                return status < 500 ? "InvalidRequest" : "InternalError";
        }
}

static void refuse(Cloud *cloud, HttpCall *call, FaultService service, const Words *words)
{
        bool json = service == FAULT_OF_SECRETS;

        cloud_refuse(cloud,
                call,
                json ? 400 : words->status,
                json ? words->json : words->code,
                words->text);
}

static bool reads(const HttpCall *call)
{
        return text_equal(http_call_method(call), "GET") ||
               text_equal(http_call_method(call), "HEAD");
}

/* The service's clock goes before; requests are judged, and answers dated, by it. */
static void skew(Cloud *cloud, HttpCall *call)
{
        char date[CLOUD_HTTP_DATE_MAX];

        cloud->skew = FAULT_SKEW_SECONDS * USEC_PER_SEC;
        cloud_format_http_date(clock_wall(&clock_system) + cloud->skew, date);
        http_call_set_header(call, "Date", date);
}

bool cloud_strike(Cloud *cloud, HttpCall *call, FaultService service)
{
        const FaultRule *rule = fault_meet(cloud->faults, service, call);
        bool over = false;

        cloud->skew = 0;
        if (!rule || fault_act(rule, call, &over))
                return over;
        switch (rule->kind) {
        case FAULT_THROTTLE:
                refuse(cloud, call, service, &of_throttle);
                return true;
        case FAULT_EXPIRE:
                refuse(cloud, call, service, service == FAULT_OF_SIGNAL ? &of_handle : &of_expire);
                return true;
        case FAULT_DENY:
                refuse(cloud, call, service, &of_deny);
                return true;
        case FAULT_STALE:
                if (reads(call))
                        refuse(cloud, call, service, &of_stale);
                return reads(call);
        case FAULT_SKEW:
                skew(cloud, call);
                return false;
        case FAULT_FAIL:
        case FAULT_STATUS:
                cloud_refuse(cloud,
                        call,
                        rule->status,
                        name_status(rule->status),
                        "The rehearsal was told to answer so.");
                return true;
        case FAULT_KILL:
        case FAULT_HANG:
        case FAULT_REFUSE:
        case FAULT_RESET:
        case FAULT_SLOW:
        case FAULT_TRUNCATE:
        case FAULT_CORRUPT:
                break; /* done above */
        }
        return false;
}
