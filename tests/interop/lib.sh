# What the cases share; each begins with: . "$HERE/lib.sh"
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

# cleanup COMMAND...: runs it when the case ends, the last one given first.
cleanup() { _cleanups+=("$*"); }

# fail MESSAGE
fail() {
    echo "failed: $*"
    exit 1
}

# skip REASON: this machine lacks what the case needs.
skip() {
    echo "$*" >"$TMP/.skipped"
    exit 77
}

# equal ACTUAL EXPECTED WHAT
equal() {
    [[ $1 == "$2" ]] || fail "$3: got '$1', expected '$2'"
}

# require COMMAND...: skips the case when one is missing.
require() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || skip "$command is not installed"
    done
}

# free_port: a TCP port on 127.0.0.1 that was free a moment ago.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for_port PORT [ADDRESS]: until somebody listens, 20 s at most.
wait_for_port() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null && return
        sleep 0.05
    done
    fail "nobody listens on port $1"
}

# end PID: ends a process of this case and waits for it.
end() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# layered PACKAGE COMMAND...: runs a command in a view of this machine over which a package is unpacked that the case names
# in "# unpacks:". Ports and the folder of the case are those of the case. Nothing stays when it ends.
layered() {
    local package=$UNPACKED/$1
    [[ $EUID -eq 0 ]] || skip "only root can lay $1 over this machine"
    [[ -d $package ]] || skip "$1 is not unpacked"
    shift
    exec unshare --mount --pid --fork --kill-child "$HERE/layered.sh" "$package" "$TMP" "$@"
}

# end_layered PID: ends what `layered` started. The first process inside takes all others along; unshare passes over signals, and
# its own end does not reach a child with the set-user-id bit.
end_layered() {
    pkill -KILL -P "$1" || true
    kill -KILL "$1" 2>/dev/null || true
}

# serve FOLDER [OPTION...]: starts httpd; sets PORT and URL; the access log is access.log.
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
