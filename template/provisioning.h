/* What runs inside a machine that becomes an image: the files of template/provisioning/, which the
 * build puts into the program. */

#pragma once

typedef struct ProvisioningFile {
        const char *name; /* "install"; NULL: the end */
        const char *text;
} ProvisioningFile;

extern const ProvisioningFile provisioning_files[];
