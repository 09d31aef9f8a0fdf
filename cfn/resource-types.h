/* The tables behind cfn/resource.h: data alone. */

#pragma once

#include "cfn/resource.h"

extern const CfnResourceType resource_types[]; /* ended by one without a name */
extern const CfnProperty resource_tag_members[];
