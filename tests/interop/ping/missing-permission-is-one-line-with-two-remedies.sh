# proves: without capability and ping group the error is one line with both remedies and exit code 2; setcap is a remedy
# needs: iproute2 util-linux libcap2-bin
. "$HERE/lib.sh"

make_namespaces NETNS
ip netns exec "$NETNS" sh -c 'echo "1 0" >/proc/sys/net/ipv4/ping_group_range'
chmod 755 "$TMP"
cp "$BIN/ping" "$TMP/ping"
as_user() {
    ip netns exec "$NETNS" setpriv --reuid=65534 --regid=65534 --clear-groups "$TMP/ping" "$@"
}

code=0
as_user -c 1 127.0.0.1 >out.txt 2>err.txt || code=$?
[ "$code" = 2 ] || fail "exit code $code instead of 2"
[ ! -s out.txt ] || fail "standard output is not empty: $(cat out.txt)"
[ "$(wc -l <err.txt)" = 1 ] || fail "standard error is not one line: $(cat err.txt)"
grep -q 'setcap cap_net_raw+ep' err.txt || fail "setcap is missing: $(cat err.txt)"
grep -q 'net.ipv4.ping_group_range' err.txt || fail "ping_group_range is missing: $(cat err.txt)"

setcap cap_net_raw+ep "$TMP/ping" || skip_for_kernel "the file system has no capabilities"
as_user -c 1 127.0.0.1 >out.txt 2>err.txt || fail "error with the capability: $(cat err.txt)"
[ ! -s err.txt ] || fail "standard error is not empty: $(cat err.txt)"
