/* flocker-template images: machine images, from the base to the published template. */

#pragma once

#include "template/image-map.h"

/* As Command.run of base/command.h. */
int images_command(int argc, char *argv[]);
int images_latest_command(int argc, char *argv[]);
int images_build_command(int argc, char *argv[]);
int images_all_command(int argc, char *argv[]);

/* The map to stdout. 0, or -ENOMEM with the sentence. */
int images_print(const ImageMap *map, Error *ret_error);

/* A line for people on stderr: "flocker-template images: <text>". */
void images_say(const char *format, ...) _printf_(1, 2);
