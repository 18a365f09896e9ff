# proves: when the wall clock runs away or stands still, every probe is answered at its pace and no time is wrong by it
# needs: faketime python3
. "$HERE/lib.sh"
require faketime python3
LIBRARY=$(dpkg -L libfaketime | grep '/libfaketimeMT.so' | head -1)
[[ -n $LIBRARY ]] || skip "no library of faketime"
[[ $EUID -eq 0 ]] || skip "a raw socket needs root"

for offset in "+0 x2000" "+0 x0.001"; do for targets in "127.0.0.1" "127.0.0.1 127.0.0.2"; do
    read -ra words <<<"$targets"
    start=$(date +%s%N)
    # A clock that is two thousand times too fast steps by minutes between any two looks at it, and away from the kernel's own
    # stamps, which do not follow it: the worst that can happen. The process may open no file, so it cannot be told when to step.
    LD_PRELOAD=$LIBRARY FAKETIME="$offset" FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
        "$BIN/ping" --json --timestamp unix -i 0.1 -c 20 "${words[@]}" >events 2>errors &
    PING=$!
    code=0
    wait $PING || code=$?
    took=$((($(date +%s%N) - start) / 1000000))
    equal "$code" 0 "exit code of ping $targets: $(cat errors)"
    ((took > 1700 && took < 6000)) || fail "twenty probes took $took ms"
    python3 - ${#words[@]} "$offset" <<'PYTHON' || fail "$(grep -v '"sent"' events | cut -c1-200 | tail -30)"
import json, sys
events = [json.loads(line) for line in open("events")]
stamps = [event["time"] for event in events]
went = stamps[-1] - stamps[0]
assert went > 3500 if "2000" in sys.argv[2] else went < 1, f"the clock of the program went {went} s"
times = [event["rtt_ms"] for event in events if event["event"] == "reply"]
assert len(times) == 20 * int(sys.argv[1]), len(times)
assert all(0 <= time < 1000 for time in times), times
PYTHON
done; done
