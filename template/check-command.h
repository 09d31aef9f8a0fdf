/* flocker-template check: says what is wrong with templates. */

#pragma once

/* As Command.run of base/command.h. */
int check_command(int argc, char *argv[]);
