/* An instance's user-data: flocker-bootstrap's configuration document, and nothing else. Its first
 * line is a comment to YAML, and to the kernel the program that is to run it. */

#pragma once

#include "template/stack-parts.h"

#define USER_DATA_MAX 4096U /* bytes, before substitution */

typedef struct UserDataNode {
        StackKind kind;
        char stem[32];          /* "AgentNode1" */
        int64_t number;         /* 0 of control, from 1 of agents; no matter of the client's */
        const char *generation; /* of the cluster: the store's prefix */
        const char *handle;     /* the logical id of the node's wait condition handle */
} UserDataNode;

/* Appends the document as Fn::Sub's text. -ENOBUFS over the buffer's bound, -ENOMEM. */
int user_data_append(const Variant *variant, const UserDataNode *node, Buffer *ret);
