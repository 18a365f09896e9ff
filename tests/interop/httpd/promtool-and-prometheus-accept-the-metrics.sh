# proves: promtool accepts the metrics, and Prometheus scrapes and aggregates them
# needs: prometheus curl python3
. "$HERE/lib.sh"
require promtool prometheus curl python3

mkdir site
echo hello >site/hello.txt
head -c 1000000 /dev/zero >site/big
serve site --metrics /-/metrics
for _ in {1..20}; do curl -sS -o /dev/null "$URL/hello.txt"; done
curl -sS -o /dev/null "$URL/big"
curl -sS -o /dev/null "$URL/nothing"

curl -sS --fail "$URL/-/metrics" >metrics
promtool check metrics <metrics >promtool.out 2>&1 || fail "promtool: $(cat promtool.out)"
equal "$(cat promtool.out)" "" "output of promtool"

port=$(free_port)
cat >prometheus.yml <<END
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - {job_name: httpd, metrics_path: /-/metrics, static_configs: [{targets: ["127.0.0.1:$PORT"]}]}
END
promtool check config prometheus.yml >/dev/null || fail "promtool refuses the configuration"
prometheus --config.file prometheus.yml --storage.tsdb.path data --web.listen-address "127.0.0.1:$port" >prometheus.log 2>&1 &
cleanup "end $!"
wait_for_port "$port"
query() { curl -sS -G --data-urlencode "query=$1" "http://127.0.0.1:$port/api/v1/query" |
    python3 -c 'import json, sys; print(*[sample["value"][1] for sample in json.load(sys.stdin)["data"]["result"]])'; }
is_up() { [[ $(query 'up{job="httpd"}') == 1 ]]; }
wait_until 10 is_up || fail "Prometheus does not scrape httpd"
equal "$(query 'sum(httpd_requests_total{status="404"})')" 1 "responses with 404"
equal "$(query 'httpd_requests_total{status="200",lane="blocking"}')" 1 "downloads"
[[ $(query 'histogram_quantile(0.5, httpd_request_duration_seconds_bucket{lane="memory"})') == 0.* ]] || fail "median of the durations"
