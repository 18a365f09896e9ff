# proves: when the wall clock steps by an hour in both directions, every probe is answered at its pace and no time is wrong by it
# needs: faketime python3
. "$HERE/lib.sh"
require faketime python3
LIBRARY=$(dpkg -L libfaketime | grep '/libfaketimeMT.so' | head -1)
[[ -n $LIBRARY ]] || skip "no library of faketime"
[[ $EUID -eq 0 ]] || skip "a raw socket needs root"

for targets in "127.0.0.1" "127.0.0.1 127.0.0.2"; do
    echo "+0" >offset
    # The kernel's own stamps do not follow this clock, so each step also drives the two apart: the worst that can happen.
    read -ra words <<<"$targets"
    start=$(date +%s%N)
    LD_PRELOAD=$LIBRARY FAKETIME_TIMESTAMP_FILE=$PWD/offset FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
        "$BIN/ping" --json -i 0.1 -c 20 "${words[@]}" >events 2>errors &
    PING=$!
    sleep 0.6 && echo "+1h" >offset
    sleep 0.6 && echo "-1h" >offset
    code=0
    wait $PING || code=$?
    took=$((($(date +%s%N) - start) / 1000000))
    equal "$code" 0 "exit code of ping $targets: $(cat errors)"
    ((took > 1700 && took < 6000)) || fail "twenty probes took $took ms"
    python3 - "${#words[@]}" <<'PYTHON' || fail "$(grep -v '"sent"' events | cut -c1-200 | tail -30)"
import json, sys
events = [json.loads(line) for line in open("events")]
times = [event["rtt_ms"] for event in events if event["event"] == "reply"]
assert len(times) == 20 * int(sys.argv[1]), len(times)
assert all(0 <= time < 1000 for time in times), times
PYTHON
done
