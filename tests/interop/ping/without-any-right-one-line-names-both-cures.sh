# proves: a user with neither capability nor ping group gets one line with both cures and code 2, and setcap cures it
# needs: iproute2 util-linux libcap2-bin
. "$HERE/lib.sh"

ip netns add "np$$" || skip "no network namespaces"
cleanup ip netns del "np$$"
ip -n "np$$" link set lo up
ip netns exec "np$$" sh -c 'echo "1 0" >/proc/sys/net/ipv4/ping_group_range'
chmod 755 "$TMP"
cp "$BIN/ping" "$TMP/ping"
as_nobody() {
    ip netns exec "np$$" setpriv --reuid=65534 --regid=65534 --clear-groups "$TMP/ping" "$@"
}

code=0
as_nobody -c 1 127.0.0.1 >out.txt 2>err.txt || code=$?
[ "$code" = 2 ] || fail "code $code instead of 2"
[ ! -s out.txt ] || fail "something on standard output: $(cat out.txt)"
[ "$(wc -l <err.txt)" = 1 ] || fail "not one line: $(cat err.txt)"
grep -q 'setcap cap_net_raw+ep' err.txt || fail "no word of setcap: $(cat err.txt)"
grep -q 'net.ipv4.ping_group_range' err.txt || fail "no word of ping_group_range: $(cat err.txt)"

setcap cap_net_raw+ep "$TMP/ping" || skip "this file system keeps no capabilities"
as_nobody -c 1 127.0.0.1 >out.txt 2>err.txt || fail "setcap did not help: $(cat err.txt)"
[ ! -s err.txt ] || fail "something on standard error: $(cat err.txt)"
