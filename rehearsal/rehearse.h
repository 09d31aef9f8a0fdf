/* The commands of flocker-rehearsal. */

#pragma once

/* Runs a template to its end. EX_OK: the stack is complete; REHEARSE_FAILED: it is not. */
#define REHEARSE_FAILED 1
int rehearse_run(int argc, char *argv[]);

/* The cloud alone, with one instance that runs nothing: prints how to reach it, until it is ended.
 */
int rehearse_serve(int argc, char *argv[]);

/* What an update from one template to another would do. EX_OK: nothing; REHEARSE_FAILED: something.
 */
int rehearse_diff(int argc, char *argv[]);
