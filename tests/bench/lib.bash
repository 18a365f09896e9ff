# Functions of all measurements; each begins with: . "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# Provides cleanup, end, free_port and wait_for_port of the interop cases, and an empty folder $TMP that is removed at the end.
# shellcheck shell=bash
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$BENCH/../.." && pwd)
HERE=$TOP/tests/interop TMP=$(mktemp -d)
. "$HERE/lib.sh"
cleanup "rm -rf '$TMP'"
chmod 755 "$TMP" # servers that drop their privileges need access
export LC_ALL=C
PATH=$PATH:/usr/sbin
CORES=$(nproc)
# Set by tests/bench/run, which prints the machine once.
MACHINE_PRINTED=${MACHINE_PRINTED:-}

# install PACKAGE...: installs missing packages as root, without starting their servers.
install() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $EUID -eq 0 ]] || { echo "bench: not installed: ${missing[*]}; run as root to install" >&2; exit 2; }
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && cleanup "rm -f $policy"; }
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$TMP/apt.log" 2>&1 ||
        { tail -5 "$TMP/apt.log" >&2; exit 2; }
}

# build PROGRAM...: builds release binaries in $BIN. With PREBUILT=FOLDER, uses those in FOLDER.
build() {
    local program options=()
    BIN=${PREBUILT:-${CARGO_TARGET_DIR:-$TOP/target}/release}
    [[ -z ${PREBUILT:-} ]] || return 0
    for program in "$@"; do options+=(--bin "$program"); done
    cargo build --release --quiet --manifest-path "$TOP/Cargo.toml" "${options[@]}"
}

# print_machine: one line about the machine, unless tests/bench/run printed it.
print_machine() {
    [[ -z $MACHINE_PRINTED ]] || return 0
    printf 'Machine: %s cores, %s, Linux %s, %s\n' "$CORES" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" \
        "$(uname -r)" "$(date -u +%F)"
}

# spread: median, minimum and maximum of the numbers on standard input, one per line.
spread() { sort -g | awk '{v[NR] = $1} END {printf "%s %s %s", v[int((NR + 1) / 2)], v[1], v[NR]}'; }
