#include "rehearsal/telling.h"

#include <stdio.h>

void telling_event(const StackEvent *event)
{
        printf("%8.3f s  %-20s %-38s %s%s%s\n",
                (double)event->at / (double)USEC_PER_SEC,
                event->status,
                event->type,
                event->name,
                event->reason ? "  " : "",
                event->reason ? event->reason : "");
        (void)fflush(stdout);
}

void telling_note(const char *text, void *userdata)
{
        (void)userdata;
        printf("note: %s\n", text);
        (void)fflush(stdout);
}

void telling_line(const char *text, void *userdata)
{
        (void)userdata;
        printf("  %s\n", text);
}

void telling_output(const StackOutput *output, void *userdata)
{
        (void)userdata;
        printf("  %-28s %s\n", output->name, output->value);
        if (output->exported)
                printf("  %-28s (exported as '%s', which nothing imports here)\n",
                        "",
                        output->exported);
}

void telling_made_up(const CfnParameter *parameter, const char *value, void *userdata)
{
        (void)userdata;
        printf("note: parameter %s is made up%s%s\n",
                parameter->name,
                value ? ": " : "",
                value ? value : "");
}

void telling_made_up_again(const CfnParameter *parameter, const char *value, void *userdata)
{
        (void)parameter;
        (void)value;
        (void)userdata;
}
