# proves: pingparsing reads the summary of ping, with and without loss
# needs: python3 iproute2
# needs-pip: pingparsing
. "$HERE/lib.sh"

make_namespaces NETNS
ip -n "$NETNS" link add near0 type veth peer name near1
ip -n "$NETNS" addr add 192.0.2.1/24 dev near0
ip -n "$NETNS" link set near0 up
ip -n "$NETNS" link set near1 up

ip netns exec "$NETNS" "$BIN/ping" -c 3 -i 0.05 127.0.0.1 >all.txt || fail "ping 127.0.0.1 failed"
ip netns exec "$NETNS" "$BIN/ping" -c 2 -i 0.05 -W 0.1 192.0.2.9 >none.txt && fail "exit code 0 without a reply"

python3 - <<'PYTHON' || fail "unexpected result of pingparsing: $(cat all.txt)"
import pingparsing
stats = pingparsing.PingParsing().parse(open("all.txt").read())
assert stats.destination == "127.0.0.1", stats
assert (stats.packet_transmit, stats.packet_receive, stats.packet_loss_rate) == (3, 3, 0), stats
assert stats.rtt_min <= stats.rtt_avg <= stats.rtt_max and stats.rtt_mdev >= 0, stats
assert [reply["icmp_seq"] for reply in stats.icmp_replies] == [1, 2, 3], stats
none = pingparsing.PingParsing().parse(open("none.txt").read())
assert (none.packet_transmit, none.packet_receive, none.packet_loss_rate) == (2, 0, 100), none
PYTHON
