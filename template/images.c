#include "template/images.h"

#include "base/command.h"

#include <stdarg.h>
#include <stdio.h>

static const Command commands[] = {
        {"latest", "name the newest base image of a distribution", images_latest_command},
        {"build", "build an image with Packer, and map it", images_build_command},
        {"all",
                "from base image to published template, going on where it stopped",
                images_all_command},
};

int images_print(const ImageMap *map, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(IMAGE_MAP_SIZE_MAX);
        int r;

        r = image_map_format(map, &text);
        if (r < 0)
                return error_set(ret_error, r, "cannot print the map of images: %m");
        (void)fwrite(buffer_text(&text), 1, text.size, stdout);
        return 0;
}

void images_say(const char *format, ...)
{
        va_list list;

        (void)fprintf(stderr, "flocker-template images: ");
        va_start(list, format);
        (void)vfprintf(stderr, format, list);
        va_end(list);
        (void)fputc('\n', stderr);
}

int images_command(int argc, char *argv[])
{
        static const CommandGroup group = {
                .program = "flocker-template images",
                .description = "Machine images with Docker, Swarm, Flocker and flocker-bootstrap.",
                .commands = commands,
                .n_commands = ELEMENTS(commands),
        };

        return command_run(&group, argc, argv);
}
