/* `flocker-bootstrap certs`: makes, shows, judges and renews the certificates of a cluster. Each of
 * these is a command (base/command.h). */

#pragma once

#include "base/secret.h"

int certs_command(int argc, char *argv[]);

int certs_create(int argc, char *argv[]);
int certs_show(int argc, char *argv[]);
int certs_verify(int argc, char *argv[]);
int certs_renew(int argc, char *argv[]);

/* The first line of a file, as a passphrase: at least 4 bytes (OpenSSL's own minimum), at most
 * 1,023. */
int certs_read_passphrase(const char *path, Secret **ret, Error *ret_error);
