/* `flocker-bootstrap certs`: makes, shows, judges and renews the certificates of a cluster. */

#pragma once

/* A command (agent/command.h). */
int certs_command(int argc, char *argv[]);
