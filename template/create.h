/* flocker-template create: prints the template. */

#pragma once

/* As Command.run of base/command.h. */
int create_command(int argc, char *argv[]);
