#!/bin/bash
# The client as the old installer had it: it began behind every node's signal.
# shellcheck disable=SC1091
. "$(dirname "$0")/lib.sh"

docker=$WORK/docker
mkdir -p "$docker" "$WORK/etc-flocker"
poll signals/control "$WORK/seen"
for ((n = 1; n <= AGENTS; n++)); do
    poll "signals/agent$n" "$WORK/seen"
done
for file in ca.pem ca-key.pem; do
    poll "docker/$file" "$docker/$file"
done
mint "$docker" 3 /CN=client "extendedKeyUsage=clientAuth\n"
poll flocker/client.tar "$WORK/flocker.tar"
tar -C "$WORK/etc-flocker" -xf "$WORK/flocker.tar"
s3 --recursive --force del "$BUCKET/flocker/" "$BUCKET/docker/"
signal client
