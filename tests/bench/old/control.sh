#!/bin/bash
# Control as the old installer had it: the Flocker certificates with openssl (flocker-ca's part), tarballs, s3cmd; then the Docker CA.
# shellcheck disable=SC1091
. "$(dirname "$0")/lib.sh"

flocker=$WORK/flocker docker=$WORK/docker uuid=$(cat /proc/sys/kernel/random/uuid)
mkdir -p "$flocker" "$docker"
new_key "$flocker/cluster.key" 0
openssl req -new -x509 -sha256 -days 7300 -key "$flocker/cluster.key" -subj "/CN=old/OU=$uuid" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign -out "$flocker/cluster.crt"
user='extendedKeyUsage=clientAuth\n'
issue() { # KEY OUT SUBJECT EXTENSIONS
    sign "$1" "$2" "$3/OU=$uuid" 7300 "$flocker/cluster.crt" "$flocker/cluster.key" "$4"
}
new_key "$flocker/user1.key" 1
issue "$flocker/user1.key" "$flocker/user1.crt" /CN=user-user1 "$user"
new_key "$flocker/control-service.key" 2
issue "$flocker/control-service.key" "$flocker/control-service.crt" /CN=control-service \
    "subjectAltName=DNS:control-service,IP:$ADDRESS\n"
for ((n = 1; n <= AGENTS; n++)); do
    node=$WORK/$n
    mkdir -p "$node"
    new_key "$node/node.key" $((1 + 2 * n))
    issue "$node/node.key" "$node/node.crt" "/CN=node-$(cat /proc/sys/kernel/random/uuid)" "basicConstraints=CA:FALSE\n"
    new_key "$node/plugin.key" $((2 + 2 * n))
    issue "$node/plugin.key" "$node/plugin.crt" /CN=user-plugin "$user"
    cp "$flocker/cluster.crt" "$node/"
    echo "{version: 1, control-service: {hostname: \"$ADDRESS\", port: 4524}, dataset: {backend: loopback}}" >"$node/agent.yml"
    tar -C "$node" -cf "$WORK/$n.tar" .
    s3 put "$WORK/$n.tar" "$BUCKET/flocker/$n.tar"
done
tar -C "$flocker" -cf "$WORK/client.tar" cluster.crt user1.crt user1.key
s3 put "$WORK/client.tar" "$BUCKET/flocker/client.tar"

new_key "$docker/ca-key.pem" 0
openssl req -new -x509 -sha256 -days 3650 -key "$docker/ca-key.pem" -subj /CN=old/OU=docker \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign -out "$docker/ca.pem"
for file in ca.pem ca-key.pem; do
    s3 put "$docker/$file" "$BUCKET/docker/$file"
done
mint "$docker" 1 "/CN=$ADDRESS" "subjectAltName=IP:$ADDRESS,IP:127.0.0.1\nextendedKeyUsage=clientAuth,serverAuth\n"
signal control
