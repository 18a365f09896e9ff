# What the measurements share; each begins with: . "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# Behind it: cleanup, end, free_port and wait_for_port of the interop cases, and an empty folder $TMP that goes at the end.
# shellcheck shell=bash
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$BENCH/../.." && pwd)
HERE=$TOP/tests/interop TMP=$(mktemp -d)
. "$HERE/lib.sh"
cleanup "rm -rf '$TMP'"
chmod 755 "$TMP" # servers that drop their privileges must reach what lies below
export LC_ALL=C
PATH=$PATH:/usr/sbin
CORES=$(nproc)
# Set by tests/bench/run, which has told it once for all.
HEAD_IS_TOLD=${HEAD_IS_TOLD:-}

# install PACKAGE...: those that are missing, as root; their servers are not started.
install() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $EUID -eq 0 ]] || { echo "bench: not installed, and only root can install: ${missing[*]}" >&2; exit 2; }
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && cleanup "rm -f $policy"; }
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$TMP/apt.log" 2>&1 ||
        { tail -5 "$TMP/apt.log" >&2; exit 2; }
}

# build PROGRAM...: release binaries in $BIN. With PREBUILT=FOLDER those that lie there are taken and nothing is built.
build() {
    local program options=()
    BIN=${PREBUILT:-${CARGO_TARGET_DIR:-$TOP/target}/release}
    [[ -z ${PREBUILT:-} ]] || return 0
    for program in "$@"; do options+=(--bin "$program"); done
    cargo build --release --quiet --manifest-path "$TOP/Cargo.toml" "${options[@]}"
}

# tell_machine: one line on what this runs on, unless it stands above already.
tell_machine() {
    [[ -z $HEAD_IS_TOLD ]] || return 0
    printf 'Machine: %s cores, %s, Linux %s, %s\n' "$CORES" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" \
        "$(uname -r)" "$(date -u +%F)"
}

# spread: median, least and most of the numbers on standard input, one a line.
spread() { sort -g | awk '{v[NR] = $1} END {printf "%s %s %s", v[int((NR + 1) / 2)], v[1], v[NR]}'; }
