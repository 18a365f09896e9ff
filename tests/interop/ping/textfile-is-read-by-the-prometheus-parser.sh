# proves: the parser of the Prometheus client for Python reads the textfile with its names, addresses and numbers
# needs: python3-prometheus-client
. "$HERE/lib.sh"

"$BIN/ping" -q -c 2 -i 0.05 --prometheus ping.prom localhost 127.0.0.2 ::1 >/dev/null || skip_for_kernel "no ping to loopback"
/usr/bin/python3 - <<'PYTHON' || fail "unexpected metrics: $(cat ping.prom)"
from prometheus_client.parser import text_string_to_metric_families
families = {family.name: family for family in text_string_to_metric_families(open("ping.prom").read())}
up = {sample.labels["target"]: sample.value for sample in families["ping_up"].samples}
assert up == {"localhost": 1, "127.0.0.2": 1, "::1": 1}, up
assert families["ping_replies"].type == "counter", families["ping_replies"]
assert all(sample.value == 2 for sample in families["ping_probes"].samples)
for name in ("min", "avg", "max"):
    assert all(0 < sample.value < 1 for sample in families[f"ping_rtt_{name}_seconds"].samples)
assert families["ping_written_timestamp_seconds"].samples[0].value > 1.7e9
PYTHON
[[ $(ls) == ping.prom ]] || fail "further files: $(ls)"
