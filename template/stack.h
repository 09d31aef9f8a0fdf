/* The CloudFormation template of a cluster: one control node, agents, a client, and what they need.
 *
 * ControlNode, AgentNode1…n and ClientNode are the stems of what people see and type: outputs and
 * Name tags. An instance, its wait condition handle and its wait condition carry one hash of the
 * configuration behind the stem ("AgentNode1X4f2a90c1", "AgentNode1HandleX4f2a90c1",
 * "AgentNode1ConditionX4f2a90c1"): a changed UserData alone would stop and start the same machine,
 * on which cloud-init does not run it again, and a handle cannot be signalled twice; with new
 * logical ids the machine is replaced, and its replacement waited for. Machines that are made anew
 * meet in a store of their own, a prefix of the same bucket (stack_find_generation).
 *
 * Source: AWS CloudFormation Template Reference; IAM User Guide, "Grant least privilege".
 */

#pragma once

#include "template/variant.h"

#define STACK_TEXT_MAX (1024U * 1024U) /* bytes that CloudFormation takes, from S3 */

/* Appends the template's text. The same variant gives the same bytes. -EFBIG over STACK_TEXT_MAX;
 * -ENOMEM. */
int stack_format(const Variant *variant, Buffer *ret, Error *ret_error);
