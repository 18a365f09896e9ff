# proves: aria2c downloads one file over eight connections at once, and resumes an interrupted download
# needs: aria2 python3
. "$HERE/lib.sh"
require aria2c python3

mkdir site
head -c 40000000 /dev/urandom >site/big
serve site
fetch() {
    aria2c --no-conf --quiet --max-connection-per-server=8 --split=8 --min-split-size=1M --dir=. "$@" "$URL/big"
}

fetch --out=whole || fail "aria2c: exit code $?"
cmp whole site/big
end "$HTTPD_PID"
# Each connection requests a range; the first may request the whole file.
parts=$(grep -c '"GET /big HTTP/1.1" 206' access.log) || true
[[ $parts -ge 7 ]] || fail "only $parts range requests: $(cat access.log)"

# Interrupted by a speed limit and a signal, then resumed.
serve site
(trap - EXIT && exec timeout 2 aria2c --no-conf --quiet -x8 -s8 -k1M --max-overall-download-limit=8M -o part "$URL/big") || true
[[ -e part.aria2 ]] || fail "no part.aria2 to resume from"
fetch --continue --out=part || fail "aria2c: exit code $?"
cmp part site/big
