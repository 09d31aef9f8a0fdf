/* flocker-bootstrap renew: this machine's Docker certificate, minted anew when its time has come;
 * flocker-bootstrap-renew.timer calls it each day. */

#pragma once

int renew_command(int argc, char *argv[]);
