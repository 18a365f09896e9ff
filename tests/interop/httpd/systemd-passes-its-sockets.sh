# proves: httpd uses TCP and Unix sockets of systemd with all workers, and a socket named redirect redirects to HTTPS
# needs: systemd curl python3
. "$HERE/lib.sh"
require systemd-socket-activate curl python3

mkdir site && echo hello >site/a
PORT=$(free_port)
systemd-socket-activate -l "127.0.0.1:$PORT" -l "$TMP/socket" "$BIN/httpd" --access-log access.log site 2>httpd.err &
pid=$!
cleanup "end $pid"
wait_until 5 test -S socket || fail "no Unix socket: $(cat httpd.err)"
equal "$(curl -sS --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$PORT/a")" hello TCP
equal "$(curl -sS --unix-socket socket http://localhost/a)" hello unix
seq 200 | xargs -P 20 -I{} curl -sS -o /dev/null "http://127.0.0.1:$PORT/a?{}"
kill -TERM $pid && wait $pid || fail "exit code $?"
equal "$(grep -c '" 200 6 ' access.log)" 202 "lines of the log"
equal "$(grep -c '^unix: - - ' access.log)" 1 "lines of the log for the Unix socket"

SECURE=$(free_port) PORT=$(free_port)
systemd-socket-activate -l "127.0.0.1:$SECURE" -l "127.0.0.1:$PORT" --fdname=https:redirect "$BIN/httpd" --tls-self-signed site \
    >/dev/null 2>httpd.err &
pid=$!
cleanup "end $pid"
equal "$(curl -sSkL --retry 20 --retry-connrefused --retry-delay 1 -w '%{url_effective}' "http://127.0.0.1:$PORT/a")" \
    $'hello\n'"https://127.0.0.1:$SECURE/a" "redirect"
