/* agent.yml: what Flocker's agents are told. Schema of flocker/node/agents of Flocker 1.15:
 *
 *         version: 1
 *         control-service: {hostname: "10.0.0.1", port: 4524}
 *         dataset: {backend: "aws", region: …, zone: …, access_key_id: …, secret_access_key: …}
 *
 * The dataset of the settings is passed through. For the aws backend, region and zone are the
 * instance's where it names none, and the access keys come from the dataset or from the Secrets
 * Manager secret that the settings name.
 */

#pragma once

#include "roles/role.h"

/* `ret`'s text holds access keys. -EDOM: the aws backend without keys, a mapping without a backend;
 * -EACCES: the secret is refused; -EBADMSG: it holds something else. */
int agent_yml_make(Role *role, Buffer *ret, Error *ret_error);
