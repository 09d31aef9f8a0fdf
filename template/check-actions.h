/* The table of actions behind the rules for policies. */

#pragma once

typedef struct CheckService {
        const char *name;    /* as it stands in front of the colon: "s3"; NULL: the end */
        const char *actions; /* their names, each but the last followed by a blank */
} CheckService;

extern const CheckService check_services[];
