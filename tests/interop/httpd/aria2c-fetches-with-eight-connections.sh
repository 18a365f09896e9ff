# proves: aria2c fetches one file over eight connections at once, and takes up a download that was broken off
# needs: aria2 python3
. "$HERE/lib.sh"
require aria2c python3

mkdir site
head -c 40000000 /dev/urandom >site/big
serve site
fetch() {
    aria2c --no-conf --quiet --max-connection-per-server=8 --split=8 --min-split-size=1M --dir=. "$@" "$URL/big"
}

fetch --out=whole || fail "aria2c ended with $?"
cmp whole site/big
end "$HTTPD_PID"
# Each of the eight asks for its own range; the first one may begin without.
parts=$(grep -c '"GET /big HTTP/1.1" 206' access.log) || true
[[ $parts -ge 7 ]] || fail "only $parts ranges were asked for: $(cat access.log)"

# Broken off by a limit of the speed and a signal, then taken up.
serve site
(trap - EXIT && exec timeout 2 aria2c --no-conf --quiet -x8 -s8 -k1M --max-overall-download-limit=8M -o part "$URL/big") || true
[[ -e part.aria2 ]] || fail "nothing is left to be taken up"
fetch --continue --out=part || fail "aria2c ended with $?"
cmp part site/big
