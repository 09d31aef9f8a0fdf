/* What an update of a stack does to a resource whose properties have changed.
 *
 * Source: AWS CloudFormation Template Reference, "Update requires" of each property.
 */

#pragma once

#include "base/json.h"

/* Each does more harm than the one before. */
typedef enum Change {
        CHANGE_NONE,
        CHANGE_IN_PLACE,
        CHANGE_RESTART, /* "some interruptions": an instance is stopped and started */
        CHANGE_REPLACE, /* another one is made, and this one deleted */
        CHANGE_REFUSED, /* "updates are not supported" */
} Change;

/* Of evaluated properties; *ret_property is the one that is to blame, borrowed (NULL: none). What
 * is not in the table is changed in place. */
Change change_judge(
        const char *type, const Json *before, const Json *after, const char **ret_property);
