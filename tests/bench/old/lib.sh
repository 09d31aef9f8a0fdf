# What the old installer's scripts share: stock tools, a poll every 5 s. Sourced by the others.
#
# WORK      a scratch folder              S3CFG   an s3cmd configuration       BUCKET   s3://bucket/prefix
# AGENTS    how many agents               NODE    an agent's number            ADDRESS  this machine's
# KEYS      a folder of RSA keys to take in place of making any ("": make them)
# shellcheck shell=bash
set -euo pipefail
umask 077
: "${WORK:?}" "${S3CFG:?}" "${BUCKET:?}" "${ADDRESS:=127.0.0.1}" "${KEYS:=}"
mkdir -p "$WORK"

s3() {
    s3cmd --config="$S3CFG" --quiet "$@"
}

# poll NAME FILE: fetches it, asking again every 5 s.
poll() {
    local i
    for ((i = 0; i < 120; i++)); do
        s3 --force get "$BUCKET/$1" "$2" 2>/dev/null && [ -s "$2" ] && return
        sleep 5
    done
    return 1
}

# new_key FILE NUMBER: a key of 4096 bits; NUMBER is which of the given ones it is.
new_key() {
    if [ -n "$KEYS" ]; then cp "$KEYS/$2.pem" "$1"; else openssl genrsa -out "$1" 4096 2>/dev/null; fi
}

# sign KEY OUT SUBJECT DAYS CA CA-KEY EXTENSIONS
sign() {
    openssl req -new -sha256 -key "$1" -subj "$3" -out "$2.csr"
    printf '%b' "$7" >"$2.ext"
    openssl x509 -req -sha256 -days "$4" -in "$2.csr" -CA "$5" -CAkey "$6" -set_serial "0x$(openssl rand -hex 16)" \
        -extfile "$2.ext" -out "$2" 2>/dev/null
    rm "$2.csr" "$2.ext"
}

# mint FOLDER NUMBER SUBJECT EXTENSIONS: a Docker certificate by the CA in FOLDER.
mint() {
    new_key "$1/key.pem" "$2"
    sign "$1/key.pem" "$1/cert.pem" "$3" 365 "$1/ca.pem" "$1/ca-key.pem" "$4"
}

# The wait-condition signal: an object of its name stands for it.
signal() {
    echo "done" >"$WORK/signal"
    s3 put "$WORK/signal" "$BUCKET/signals/$1"
}
