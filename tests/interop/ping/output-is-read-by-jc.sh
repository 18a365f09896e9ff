# proves: jc reads our output as it reads that of iputils: replies, loss and summary, IPv4 and IPv6
# needs: jc python3 iproute2
. "$HERE/lib.sh"

make_namespaces NETNS

ip netns exec "$NETNS" "$BIN/ping" -c 3 -i 0.05 127.0.0.1 >v4.txt || fail "ping 127.0.0.1 failed"
ip netns exec "$NETNS" "$BIN/ping" -c 2 -i 0.05 -D ::1 >v6.txt || fail "ping ::1 failed"
jc --ping <v4.txt >v4.json || fail "jc cannot read: $(cat v4.txt)"
jc --ping <v6.txt >v6.json || fail "jc cannot read: $(cat v6.txt)"

python3 - <<'PYTHON' || fail "unexpected result of jc: $(cat v4.json v6.json)"
import json
four, six = json.load(open("v4.json")), json.load(open("v6.json"))
assert four["destination_ip"] == "127.0.0.1" and four["data_bytes"] == 56, four
assert (four["packets_transmitted"], four["packets_received"]) == (3, 3), four
assert four["packet_loss_percent"] == 0 and four["duplicates"] == 0, four
assert [reply["icmp_seq"] for reply in four["responses"]] == [1, 2, 3], four
assert all(reply["ttl"] == 64 and 0 <= reply["time_ms"] < 1000 for reply in four["responses"]), four
assert four["round_trip_ms_min"] <= four["round_trip_ms_avg"] <= four["round_trip_ms_max"], four
assert six["destination_ip"] == "::1" and six["packets_received"] == 2, six
assert all(reply["timestamp"] > 1e9 for reply in six["responses"]), six
PYTHON
