/* Can Flocker's agent work on this very machine? With the aws backend, flocker/node/agents/ebs.py
 * of Flocker 1.15 learns the instance's id by version 1 of the metadata service (boto 2), and knows
 * devices by the names sd* and xvd* alone: neither is so on a Nitro instance that requires
 * version 2.
 */

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define AGENT_YML_MAX (64U * 1024U)
#define DEVICES_MAX   10000U

typedef struct Devices {
        bool xen, nvme;
} Devices;

static int note_device(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        Devices *devices = userdata;

        (void)folder_fd;
        (void)ret_error;
        devices->xen |= text_starts(name, "xvd") || text_starts(name, "sd");
        devices->nvme |= text_starts(name, "nvme") && strchr(name, 'n');
        return 0;
}

static int check_devices(Role *role, Error *ret_error)
{
        Devices devices = {};
        int r;

        if (faccessat(role->root_fd, "dev", F_OK, 0) < 0)
                return 0; /* a rehearsal's machine has none */
        r = folder_list(role->root_fd, "dev", DEVICES_MAX, note_device, &devices, ret_error);
        if (r < 0 || devices.xen || !devices.nvme)
                return r;
        return error_set(ret_error,
                -EDOM,
                "cannot use the instance type '%s' for Flocker's aws backend: its disks are NVMe "
                "devices, and Flocker knows sd* and xvd* alone; take a Xen type (m3, m4, t2, c4, "
                "r4)",
                role->instance.identity.instance_type);
}

/* The backend of the agent.yml that is installed. */
static int uses_aws(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(AGENT_YML_MAX);
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;
        const YamlNode *dataset, *backend;
        int r;

        r = file_read(role->root_fd, PATH_FLOCKER "/agent.yml", AGENT_YML_MAX, &text, ret_error);
        if (r == 0)
                r = yaml_parse("/" PATH_FLOCKER "/agent.yml",
                        buffer_text(&text),
                        text.size,
                        &document,
                        ret_error);
        if (r < 0)
                return r;
        dataset = yaml_root(document)->kind == YAML_MAPPING
                          ? yaml_member(yaml_root(document), "dataset")
                          : NULL;
        backend = dataset && dataset->kind == YAML_MAPPING ? yaml_member(dataset, "backend") : NULL;
        *ret = backend && text_equal(backend->text, "aws");
        return 0;
}

int step_check_flocker_machine(Role *role, Error *ret_error)
{
        bool aws = false, allowed = true;
        int r = uses_aws(role, &aws, ret_error);

        if (r < 0 || !aws)
                return r;
        r = metadata_allows_v1(role->metadata, role->step_deadline, &allowed, ret_error);
        if (r == 0 && !allowed)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use this instance for Flocker's aws backend: it requires version 2 "
                        "of the metadata service, and Flocker knows version 1 alone; set "
                        "HttpTokens to optional (aws ec2 modify-instance-metadata-options)");
        return r < 0 ? r : check_devices(role, ret_error);
}
