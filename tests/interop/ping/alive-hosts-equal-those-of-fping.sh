# proves: ping and fping find the same alive hosts: a block on loopback, a list with unreachable hosts, IPv4 and IPv6
# needs: fping iproute2
. "$HERE/lib.sh"

make_namespaces NEAR FAR
ip link add near netns "$NEAR" type veth peer name far netns "$FAR"
ip -n "$NEAR" addr add 10.0.0.1/24 dev near
ip -n "$FAR" addr add 10.0.0.2/24 dev far
ip -n "$FAR" addr add 10.0.0.77/24 dev far
ip -n "$NEAR" addr add fd00:1::1/64 dev near nodad
ip -n "$FAR" addr add fd00:1::2/64 dev far nodad
ip -n "$NEAR" link set near up
ip -n "$FAR" link set far up
ip netns exec "$NEAR" sh -c 'echo 100 >/proc/sys/net/ipv4/neigh/near/retrans_time_ms'
inside() { ip netns exec "$NEAR" "$@"; }

# same NAME COUNT: fping.NAME and ping.NAME have the same lines in any order, COUNT of them.
same() {
    sort -V "fping.$1" >fping.txt && sort -V "ping.$1" >ping.txt
    diff fping.txt ping.txt >difference || fail "$1: $(head -5 difference)"
    [[ $(wc -l <ping.txt) == "$2" ]] || fail "$1: $(wc -l <ping.txt) lines instead of $2"
}

inside fping -a -q -i 0 -r 0 -g 127.0.0.0/16 >fping.block || fail "fping: $(tail -3 fping.block)"
inside "$BIN/ping" --alive 127.0.0.0/16 >ping.block || fail "ping: code $?"
same block 65534

printf '%s\n' 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.77 10.0.0.78 127.0.0.1 >list
fping_code=0 && inside fping -a -q -r 1 -t 300 <list >fping.list 2>/dev/null || fping_code=$?
ping_code=0 && inside "$BIN/ping" --alive -i 0.1 -W 0.5 --targets - <list >ping.list || ping_code=$?
same list 4
equal "$ping_code" "$fping_code" "exit code with unreachable hosts"

inside fping -u -q -r 1 -t 300 <list >fping.unreachable 2>/dev/null || true
inside "$BIN/ping" --unreachable -i 0.1 -W 0.5 --targets list >ping.unreachable || true
same unreachable 2

printf '%s\n' fd00:1::1 fd00:1::2 fd00:1::3 ::1 >list6
inside fping -6 -a -q -r 1 -t 300 <list6 >fping.ipv6 2>/dev/null || true
inside "$BIN/ping" --alive -i 0.1 -W 0.5 --targets list6 >ping.ipv6 || true
same ipv6 3

fping_code=0 && inside fping -a -q nosuch.invalid 127.0.0.1 >/dev/null 2>&1 || fping_code=$?
ping_code=0 && inside "$BIN/ping" --alive nosuch.invalid 127.0.0.1 >/dev/null 2>&1 || ping_code=$?
equal "$ping_code" "$fping_code" "exit code for an unknown name"
