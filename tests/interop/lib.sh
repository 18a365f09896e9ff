# Functions of all cases; each begins with: . "$HERE/lib.sh"
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC

_cleanups=()
_finish() {
    local code=$? index
    for ((index = ${#_cleanups[@]} - 1; index >= 0; index--)); do
        eval "${_cleanups[index]}" || true
    done
    exit $code
}
trap _finish EXIT

# cleanup COMMAND...: runs the command at the end of the case, in reverse order.
cleanup() { _cleanups+=("$*"); }

# fail MESSAGE
fail() {
    echo "failed: $*"
    exit 1
}

# skip REASON: a program or a right is missing. As root, when everything can be installed, run counts it as a failure.
skip() {
    echo "$*" >"$TMP/.skipped"
    exit 77
}

# skip_for_kernel REASON: the kernel or the container lacks a feature.
skip_for_kernel() {
    touch "$TMP/.kernel"
    skip "$*"
}

# equal ACTUAL EXPECTED DESCRIPTION
equal() {
    [[ $1 == "$2" ]] || fail "$3: got '$1', expected '$2'"
}

# require COMMAND...: skips the case when a command is missing.
require() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || skip "$command is not installed"
    done
}

# wait_until SECONDS COMMAND...: repeats the command until it succeeds; fails after that time.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= end)) || return 1
        sleep 0.05
    done
}

# free_port: prints a free TCP port of 127.0.0.1.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# is_listening PORT [ADDRESS]
is_listening() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; }

# wait_for_port PORT [ADDRESS]: waits until the port accepts connections, at most 20 s.
wait_for_port() { wait_until 20 is_listening "$@" || fail "no listener on port $1"; }

# end PID: stops a process of this case and waits for its exit.
end() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# make_namespaces VARIABLE...: makes network namespaces with loopback and sets the variables to their names.
make_namespaces() {
    local variable
    for variable in "$@"; do
        declare -g "$variable=interop$$-${variable,,}"
        ip netns add "${!variable}" 2>"$TMP/ip.log" || skip_for_kernel "no network namespaces: $(<"$TMP/ip.log")"
        cleanup "ip netns del '${!variable}'"
        ip -n "${!variable}" link set lo up
    done
}

# self_signed NAME [OPTION...]: makes cert.pem (no authority) and key.pem for a DNS name, ECDSA P-256 unless the options of
# openssl req name another key.
self_signed() {
    local name=$1
    shift
    [[ $# -gt 0 ]] || set -- -newkey ec -pkeyopt ec_paramgen_curve:P-256
    openssl req -x509 "$@" -nodes -days 30 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
        -addext basicConstraints=critical,CA:FALSE -keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2>"$TMP/openssl.log" ||
        fail "openssl: $(<"$TMP/openssl.log")"
}

# layered PACKAGE COMMAND...: runs a command in a copy-on-write view of this machine with an unpacked package of the line
# "# unpacks:". Ports and the folder of the case are shared; all other changes are lost at the end.
layered() {
    local package=$UNPACKED/$1
    [[ $EUID -eq 0 ]] || skip "only root can mount $1 over this machine"
    [[ -d $package ]] || skip "$1 is not unpacked"
    shift
    exec unshare --mount --pid --fork --kill-child "$HERE/layered.sh" "$package" "$TMP" "$@"
}

# end_layered PID: stops what `layered` started. unshare ignores signals, and --kill-child does not reach a child with the
# set-user-ID bit, so the first process of the PID namespace is killed, and all others with it.
end_layered() {
    pkill -KILL -P "$1" || true
    kill -KILL "$1" 2>/dev/null || true
}

# serve FOLDER [OPTION...]: starts httpd; sets PORT, URL and HTTPD_PID. The access log is access.log.
serve() {
    PORT=$(free_port)
    URL=http://127.0.0.1:$PORT
    local folder=$1
    shift
    "$BIN/httpd" --root "$folder" --port "$PORT" --access-log access.log "$@" 2>httpd.err &
    HTTPD_PID=$!
    cleanup "end $HTTPD_PID"
    wait_for_port "$PORT"
}
