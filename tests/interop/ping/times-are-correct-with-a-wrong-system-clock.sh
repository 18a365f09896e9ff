# proves: when the system clock runs 2,000 times too fast or nearly stops, interval and round-trip times are correct
# needs: faketime python3
. "$HERE/lib.sh"
require faketime python3
LIBRARY=$(dpkg -L libfaketime | grep '/libfaketimeMT.so' | head -1)
[[ -n $LIBRARY ]] || skip "no library libfaketimeMT"
[[ $EUID -eq 0 ]] || skip "a raw socket requires root"

for offset in "+0 x2000" "+0 x0.001"; do for targets in "127.0.0.1" "127.0.0.1 127.0.0.2"; do
    read -ra addresses <<<"$targets"
    start=$(date +%s%N)
    # A clock that is 2,000 times too fast differs by minutes between two calls, and from the time stamps of the kernel. Landlock
    # forbids the process to open files, so the clock cannot step at a given time.
    LD_PRELOAD=$LIBRARY FAKETIME="$offset" FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
        "$BIN/ping" --json --timestamp unix -i 0.1 -c 20 "${addresses[@]}" >events 2>errors &
    PING=$!
    code=0
    wait $PING || code=$?
    took=$((($(date +%s%N) - start) / 1000000))
    equal "$code" 0 "exit code of ping $targets: $(cat errors)"
    ((took > 1700 && took < 6000)) || fail "20 probes took $took ms"
    python3 - ${#addresses[@]} "$offset" <<'PYTHON' || fail "$(grep -v '"sent"' events | cut -c1-200 | tail -30)"
import json, sys
events = [json.loads(line) for line in open("events")]
stamps = [event["time"] for event in events]
elapsed = stamps[-1] - stamps[0]
assert elapsed > 3500 if "2000" in sys.argv[2] else elapsed < 1, f"{elapsed} s elapsed for the program"
times = [event["rtt_ms"] for event in events if event["event"] == "reply"]
assert len(times) == 20 * int(sys.argv[1]), len(times)
assert all(0 <= time < 1000 for time in times), times
PYTHON
done; done
