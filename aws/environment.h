/* A variable of an environment; "" counts as not there. */

#pragma once

/* `environment` NULL: the process's. Borrowed; NULL: not set, or empty. */
const char *environment_get(char *const *environment, const char *name);
