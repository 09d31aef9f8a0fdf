#pragma once

/* flocker-bootstrap members follow: classic Swarm's members, as the store has them: it
 * keeps the manager's member file equal to that, and is the unit
 * flocker-bootstrap-members.service. */
int members_command(int argc, char *argv[]);
