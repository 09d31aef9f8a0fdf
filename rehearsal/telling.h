/* What a rehearsal tells on standard output, line by line. */

#pragma once

#include "rehearsal/stack.h"

/* "   0.040 s  CREATE_COMPLETE      AWS::EC2::Instance   AgentNode1" */
void telling_event(const StackEvent *event);

/* For those who tell something by a callback; userdata is of no matter. */
void telling_note(const char *text, void *userdata);
void telling_line(const char *text, void *userdata);
void telling_output(const StackOutput *output, void *userdata);
void telling_made_up(const CfnParameter *parameter, const char *value, void *userdata);
void telling_made_up_again(
        const CfnParameter *parameter, const char *value, void *userdata); /* nothing */
