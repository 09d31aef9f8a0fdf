/* Calls of AWS's other services: an action and its parameters, in the JSON or the Query protocol.
 *
 * Secrets Manager and SSM speak JSON 1.1 (X-Amz-Target), EC2 and STS the Query form (XML answers).
 */

#pragma once

#include "aws/session.h"
#include "base/json.h"
#include "base/xml.h"

typedef struct AwsService {
        const char *name; /* SigV4's and the host's: "ssm" */
        const char
                *target; /* JSON: the prefix of X-Amz-Target ("AmazonSSM"); NULL: the Query form */
        const char *version; /* Query: "2016-11-15"; NULL for JSON */
} AwsService;

extern const AwsService aws_service_secretsmanager;
extern const AwsService aws_service_ssm;
extern const AwsService aws_service_ec2;
extern const AwsService aws_service_sts;

/* One JSON call. `endpoint` as of aws_endpoint(). The answer is the caller's. */
int aws_call_json(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const Json *parameters,
        Usec deadline,
        Json **ret,
        AwsFault *ret_fault,
        Error *ret_error);

/* One Query call; parameters are name, value, …, NULL. */
int aws_call_query(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const char *const *parameters,
        Usec deadline,
        XmlElement **ret,
        AwsFault *ret_fault,
        Error *ret_error);

/* Pages: calls until an answer has no NextToken, `page` for each; what `page` returns but 0 ends it
 * and is returned. At most AWS_PAGES_MAX, and a token that repeats is -EPROTO. */
#define AWS_PAGES_MAX 1000U
typedef int (*AwsJsonPage)(const Json *answer, void *userdata, Error *ret_error);
int aws_call_json_pages(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const Json *parameters,
        Usec deadline,
        AwsJsonPage page,
        void *userdata,
        AwsFault *ret_fault,
        Error *ret_error);

/* Likewise; the token is <nextToken> (EC2), or the <NextToken> of the action's result. */
typedef int (*AwsXmlPage)(const XmlElement *answer, void *userdata, Error *ret_error);
int aws_call_query_pages(AwsSession *session,
        const AwsService *service,
        const char *endpoint,
        const char *action,
        const char *const *parameters,
        Usec deadline,
        AwsXmlPage page,
        void *userdata,
        AwsFault *ret_fault,
        Error *ret_error);
