/* The steps' functions, for the tables of control.c, agent.c and client.c. Each pair is as
 * roles/step.h has it: is_done (where there is one) and run. */

#pragma once

#include "roles/step.h"

extern const StepTable step_table_control, step_table_agent, step_table_client;

/* instance.c */
int step_read_instance(Role *role, Error *ret_error);

/* docker-pki.c */
int step_docker_ca_is_made(Role *role, bool *ret, Error *ret_error);
int step_make_docker_ca(Role *role, Error *ret_error);
int step_docker_ca_is_published(Role *role, bool *ret, Error *ret_error);
int step_publish_docker_ca(Role *role, Error *ret_error);
int step_fetch_docker_ca(Role *role, Error *ret_error);
int step_docker_cert_is_minted(Role *role, bool *ret, Error *ret_error);
int step_mint_docker_cert(Role *role, Error *ret_error);
int step_client_cert_is_minted(Role *role, bool *ret, Error *ret_error);
int step_mint_client_cert(Role *role, Error *ret_error);

/* The cluster's Docker CA: control's own (-ENOENT: not made yet), or the store's, waited for.
 * Borrowed; its key is NULL where it has been purged. */
int step_get_docker_ca(Role *role, const Pair **ret, Error *ret_error);

/* One look, without waiting: role->docker_ca with its key, where *ret; else *ret_error says why it
 * is not at hand. Negative: it could not be looked for. */
int step_find_docker_ca(Role *role, bool *ret, Error *ret_error);

/* The first name of this machine that its Docker certificate lacks; "": it has them all. */
#define STEP_NAME_MAX 256U
int step_find_uncovered(
        Role *role, const CertificateInfo *info, char ret[STEP_NAME_MAX], Error *ret_error);

/* engine.c */
int step_docker_is_configured(Role *role, bool *ret, Error *ret_error);
int step_configure_docker(Role *role, Error *ret_error);
int step_put_docker_back(Role *role, Error *ret_error); /* undo */

/* swarm.c */
int step_swarm_is_started(Role *role, bool *ret, Error *ret_error);
int step_start_swarm(Role *role, Error *ret_error);
int step_swarm_is_joined(Role *role, bool *ret, Error *ret_error);
int step_join_swarm(Role *role, Error *ret_error);

/* flocker-pki.c */
int step_flocker_ca_is_made(Role *role, bool *ret, Error *ret_error);
int step_make_flocker_ca(Role *role, Error *ret_error);
int step_flocker_certs_are_made(Role *role, bool *ret, Error *ret_error);
int step_make_flocker_certs(Role *role, Error *ret_error);
int step_flocker_is_published(Role *role, bool *ret, Error *ret_error);
int step_publish_flocker(Role *role, Error *ret_error);

/* flocker-node.c */
int step_flocker_is_fetched(Role *role, bool *ret, Error *ret_error);
int step_fetch_flocker(Role *role, Error *ret_error);
int step_flocker_is_installed(Role *role, bool *ret, Error *ret_error);
int step_install_flocker(Role *role, Error *ret_error);
int step_flocker_is_started(Role *role, bool *ret, Error *ret_error);
int step_start_flocker(Role *role, Error *ret_error);

/* The role's Flocker set of the store, waited for. Borrowed. */
int step_get_flocker_set(Role *role, const S3StoreSet **ret, Error *ret_error);

/* flocker-machine.c: -EDOM where Flocker's agent could not work on this machine. */
int step_check_flocker_machine(Role *role, Error *ret_error);

/* client-files.c */
int step_client_is_installed(Role *role, bool *ret, Error *ret_error);
int step_install_client(Role *role, Error *ret_error);

/* The client's Docker certificate alone, to where step_install_client puts it: it was renewed. */
int step_install_client_tls(Role *role, Error *ret_error);

/* verify.c */
int step_verify_node(Role *role, Error *ret_error);
int step_verify_cluster(Role *role, Error *ret_error);

/* finish.c */
int step_purge_secrets(Role *role, Error *ret_error);
int step_is_signalled(Role *role, bool *ret, Error *ret_error);
int step_signal(Role *role, Error *ret_error);
