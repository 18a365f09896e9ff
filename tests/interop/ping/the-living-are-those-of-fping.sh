# proves: ping and fping find the same hosts alive: a block on loopback, a list with dead hosts, IPv4 and IPv6
# needs: fping iproute2
. "$HERE/lib.sh"

a="fa$$" b="fb$$"
for host in "$a" "$b"; do
    ip netns add "$host" || skip "no network namespaces"
    cleanup ip netns del "$host"
    ip -n "$host" link set lo up
done
ip link add near netns "$a" type veth peer name far netns "$b"
ip -n "$a" addr add 10.0.0.1/24 dev near
ip -n "$b" addr add 10.0.0.2/24 dev far
ip -n "$b" addr add 10.0.0.77/24 dev far
ip -n "$a" addr add fd00:1::1/64 dev near nodad
ip -n "$b" addr add fd00:1::2/64 dev far nodad
ip -n "$a" link set near up
ip -n "$b" link set far up
ip netns exec "$a" sh -c 'echo 100 >/proc/sys/net/ipv4/neigh/near/retrans_time_ms'
inside() { ip netns exec "$a" "$@"; }

# same NAME: the sorted lines of theirs.NAME and ours.NAME, and a word about how many.
same() {
    sort -V "theirs.$1" >theirs.txt && sort -V "ours.$1" >ours.txt
    diff theirs.txt ours.txt >difference || fail "$1: $(head -5 difference)"
    [[ $(wc -l <ours.txt) == "$2" ]] || fail "$1: $(wc -l <ours.txt) lines instead of $2"
}

inside fping -a -q -i 0 -r 0 -g 127.0.0.0/16 >theirs.block || fail "fping: $(tail -3 theirs.block)"
inside "$BIN/ping" --alive 127.0.0.0/16 >ours.block || fail "ping: code $?"
same block 65534

printf '%s\n' 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.77 10.0.0.78 127.0.0.1 >list
their_code=0 && inside fping -a -q -r 1 -t 300 <list >theirs.list 2>/dev/null || their_code=$?
our_code=0 && inside "$BIN/ping" --alive -i 0.1 -W 0.5 --targets - <list >ours.list || our_code=$?
same list 4
equal "$our_code" "$their_code" "exit code with dead hosts"

inside fping -u -q -r 1 -t 300 <list >theirs.dead 2>/dev/null || true
inside "$BIN/ping" --unreachable -i 0.1 -W 0.5 --targets list >ours.dead || true
same dead 2

printf '%s\n' fd00:1::1 fd00:1::2 fd00:1::3 ::1 >list6
inside fping -6 -a -q -r 1 -t 300 <list6 >theirs.six 2>/dev/null || true
inside "$BIN/ping" --alive -i 0.1 -W 0.5 --targets list6 >ours.six || true
same six 3

their_code=0 && inside fping -a -q nosuch.invalid 127.0.0.1 >/dev/null 2>&1 || their_code=$?
our_code=0 && inside "$BIN/ping" --alive nosuch.invalid 127.0.0.1 >/dev/null 2>&1 || our_code=$?
equal "$our_code" "$their_code" "exit code with a name that is not found"
