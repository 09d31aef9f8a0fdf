/* What of a template needs more than this cloud: it is refused by name, not taken to be there. */

#pragma once

#include "cfn/template.h"

/* Nested stacks, custom resources, macros, modules. -EBADMSG with place and cause. */
int foreign_check(const CfnTemplate *template, Error *ret_error);
