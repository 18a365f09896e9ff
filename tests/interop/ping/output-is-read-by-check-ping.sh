# proves: check_ping of the monitoring plugins reads loss and round-trip time from ping, for an alive and an unreachable host
# needs: monitoring-plugins-basic iputils-ping iproute2 util-linux
. "$HERE/lib.sh"

plugin=/usr/lib/nagios/plugins/check_ping
[ -x $plugin ] || skip "no check_ping"
make_namespaces NETNS
# No host is behind this interface.
ip -n "$NETNS" link add hole0 type veth peer name hole1
ip -n "$NETNS" addr add 192.0.2.1/24 dev hole0
ip -n "$NETNS" link set hole1 up && ip -n "$NETNS" link set hole0 up
ip -n "$NETNS" neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 dev hole0

# The plugin has a fixed path of ping, so ping is mounted there in a new mount namespace.
check() {
    ip netns exec "$NETNS" unshare -m sh -c 'mount --bind "$BIN/ping" "$(readlink -f /bin/ping)" && exec "$@"' sh \
        $plugin -w 100,20% -c 500,60% "$@"
}
check -H 127.0.0.1 -p 3 >alive.txt || fail "127.0.0.1: $(cat alive.txt)"
grep -qE '^PING OK - Packet loss = 0%, RTA = 0\.[0-9]+ ms\|rta=0\.[0-9]+ms' alive.txt || fail "$(cat alive.txt)"
check -H ::1 -6 -p 2 >six.txt || fail "::1: $(cat six.txt)"
code=0
check -H 192.0.2.9 -p 2 >unreachable.txt || code=$?
equal "$code" 2 "exit code for an unreachable host, $(cat unreachable.txt)"
grep -q 'Packet loss = 100%' unreachable.txt || fail "$(cat unreachable.txt)"
