/* flocker-bootstrap --role=…: what cloud-init calls, and what people call again. */

#pragma once

/* Runs the role that the command line, the document or the tags name. An exit status of sysexits.h;
 * what went wrong has been said, and signalled. */
int run_command(int argc, char *argv[]);
