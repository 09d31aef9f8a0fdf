#include "template/images.h"

#include "base/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

static const Command commands[] = {
        {"latest", "name the newest base image of a distribution", images_latest_command},
        {"build", "build an image with Packer, and map it", images_build_command},
        {"all",
                "from base image to published template, going on where it stopped",
                images_all_command},
};

typedef struct Arguments {
        bool help;
} Arguments;

static const Option options[] = {
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
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

static int print_help(void)
{
        printf("Usage: flocker-template images COMMAND …\n"
               "\n"
               "Machine images with Docker, Swarm, Flocker and flocker-bootstrap.\n"
               "\n"
               "Commands (each has a --help of its own):\n");
        command_print(commands, ELEMENTS(commands));
        printf("\nOptions:\n");
        option_print(options, ELEMENTS(options), stdout);
        return EX_OK;
}

int images_command(int argc, char *argv[])
{
        Arguments arguments = {};
        Error error = ERROR_INIT;
        int operands, r;

        r = option_parse(options,
                ELEMENTS(options),
                OPTION_STOP_AT_OPERAND,
                argc,
                argv,
                &arguments,
                &operands,
                &error);
        if (r < 0) {
                images_say("%s", error.text);
                return error_exit_status(r);
        }
        if (arguments.help)
                return print_help();
        return command_run(commands,
                ELEMENTS(commands),
                "flocker-template images",
                argc - operands,
                argv + operands);
}
