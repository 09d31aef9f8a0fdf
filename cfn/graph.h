/* What in a template needs what, and in which order resources can be made.
 *
 * A resource needs what its properties and policies refer to (Ref, Fn::GetAtt, Fn::Sub; both ways
 * of a Fn::If), and what its DependsOn names.
 *
 * Source: AWS CloudFormation User Guide, "DependsOn attribute".
 */

#pragma once

#include "cfn/template.h"

typedef struct CfnGraph {
        size_t count;  /* of the template's resources */
        size_t *order; /* their indices there: each behind all that it needs, else as there */
        unsigned char *needs; /* count by count: by cfn_graph_needs() */
} CfnGraph;

/* Looks through resources, conditions and outputs. -EBADMSG with place and cause: a reference to
 * what the template does not have (with the nearest name), an attribute that a type known to
 * cfn/resource.h lacks, an unknown function, a cycle ("A -> B -> A"), also of conditions; -ENOMEM.
 * Where faults are collected, the order passes over what a cycle would need. */
int cfn_graph_new(const CfnTemplate *template, CfnGraph **ret, Error *ret_error);
CfnGraph *cfn_graph_free(CfnGraph *graph);
DEFINE_CLEANUP(CfnGraph *, cfn_graph_free);

/* Does the resource of index `resource` need that of index `on`, itself and not through others? */
bool cfn_graph_needs(const CfnGraph *graph, size_t resource, size_t on);
