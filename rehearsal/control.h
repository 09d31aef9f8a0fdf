/* A socket by which a test or a person moves the machines of a rehearsal about: HTTP/1.1 at
 * <folder>/control.
 *
 *         GET    /machines                  the machines, as JSON: name, id, address, leader, root,
 *                                           console, userData
 *         POST   /machines/NAME/stop        an orderly poweroff begins
 *         POST   /machines/NAME/start       boots it again: the same instance, the same disks
 *         PUT    /machines/NAME/user-data   what metadata gives from now on
 *         PUT    /machines/NAME/address     its private address from now on
 *         POST   /machines/NEW?like=NAME    a new instance of NAME's kind, with this user-data
 *         DELETE /machines/NAME             terminates it
 *         GET    /store/BUCKET              the keys in it, one a line
 *         GET    /store/BUCKET/KEY          what stands there
 *
 * What cannot be done is answered with 4xx and a sentence; so is /store where S3 is a real server.
 * A machine's `leader` is its init (0: it does not run): "nsenter --target LEADER --all" is a shell
 * in it.
 */

#pragma once

#include "rehearsal/cloud.h"
#include "rehearsal/machines.h"

typedef struct Control Control;

int control_new(EventLoop *loop,
        Machines *machines,
        const Cloud *cloud,
        const char *path,
        Control **ret,
        Error *ret_error);
Control *control_free(Control *control);
DEFINE_CLEANUP(Control *, control_free);
