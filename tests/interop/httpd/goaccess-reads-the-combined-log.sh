# proves: goaccess parses every line of the combined log and counts requests, bytes and missing files
# needs: goaccess curl python3
. "$HERE/lib.sh"
require goaccess curl python3

mkdir site
head -c 1000 /dev/urandom >site/small
head -c 500000 /dev/urandom >site/big
serve site --log-format combined
get() { curl -sS -o /dev/null "$@"; }
for _ in {1..20}; do get -A 'one/1.0 "quoted" \ back' -e 'http://example.com/a?b="c"' "$URL/small"; done
for _ in {1..5}; do get "$URL/big"; done
get -I "$URL/big"
get -r 0-99 "$URL/big"
for _ in {1..3}; do get "$URL/missing%20%22file%22"; done
get -X DELETE "$URL/small"
end "$HTTPD_PID"

equal "$(wc -l <access.log)" 31 "lines of the log"
goaccess access.log --no-global-config --log-format=COMBINED --no-progress -o report.json >goaccess.out 2>&1 </dev/null ||
    fail "goaccess: exit code $?: $(cat goaccess.out)"
python3 - <<'EOF' || fail "the totals are wrong: $(cat access.log)"
import json
report = json.load(open("report.json"))
general = report["general"]
print(general)
assert (general["total_requests"], general["valid_requests"], general["failed_requests"]) == (31, 31, 0)
sent = 20 * 1000 + 5 * 500000 + 100
error_pages = general["bandwidth"] - sent
assert 0 < error_pages < 4 * 1000, f"{error_pages} bytes of error pages"
assert {path["data"]: path["hits"]["count"] for path in report["not_found"]["data"]} == {'/missing "file"': 3}
EOF
