#!/bin/bash
# An agent as the old installer had it: polls for the Docker CA, mints, polls for its tarball, unpacks.
# shellcheck disable=SC1091
. "$(dirname "$0")/lib.sh"

docker=$WORK/docker
mkdir -p "$docker" "$WORK/etc-flocker"
for file in ca.pem ca-key.pem; do
    poll "docker/$file" "$docker/$file"
done
mint "$docker" "$NODE" "/CN=$ADDRESS" "subjectAltName=IP:$ADDRESS,IP:127.0.0.1\nextendedKeyUsage=clientAuth,serverAuth\n"
poll "flocker/$NODE.tar" "$WORK/flocker.tar"
tar -C "$WORK/etc-flocker" -xf "$WORK/flocker.tar"
signal "agent$NODE"
