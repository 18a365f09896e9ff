# proves: check_ping of the monitoring plugins reads loss and round-trip time from our ping, for a living and a dead host
# needs: monitoring-plugins-basic iputils-ping iproute2 util-linux
. "$HERE/lib.sh"

plugin=/usr/lib/nagios/plugins/check_ping
[ -x $plugin ] || skip "no check_ping"
ip netns add "cp$$" || skip "no network namespaces"
cleanup ip netns del "cp$$"
ip -n "cp$$" link set lo up
# A host that is not there: nobody reads what goes to this interface.
ip -n "cp$$" link add hole0 type veth peer name hole1
ip -n "cp$$" addr add 192.0.2.1/24 dev hole0
ip -n "cp$$" link set hole1 up && ip -n "cp$$" link set hole0 up
ip -n "cp$$" neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 dev hole0

# The plugin knows one path to ping; ours is put there, for this process alone.
check() {
    ip netns exec "cp$$" unshare -m sh -c 'mount --bind "$BIN/ping" "$(readlink -f /bin/ping)" && exec "$@"' sh \
        $plugin -w 100,20% -c 500,60% "$@"
}
check -H 127.0.0.1 -p 3 >living.txt || fail "127.0.0.1: $(cat living.txt)"
grep -qE '^PING OK - Packet loss = 0%, RTA = 0\.[0-9]+ ms\|rta=0\.[0-9]+ms' living.txt || fail "$(cat living.txt)"
check -H ::1 -6 -p 2 >six.txt || fail "::1: $(cat six.txt)"
code=0
check -H 192.0.2.9 -p 2 >dead.txt || code=$?
equal "$code" 2 "code for a dead host, $(cat dead.txt)"
grep -q 'Packet loss = 100%' dead.txt || fail "$(cat dead.txt)"
