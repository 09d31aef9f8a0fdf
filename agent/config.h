#pragma once

/* flocker-bootstrap config check|dump: what a machine would be told, without doing it. */
int config_command(int argc, char *argv[]);
