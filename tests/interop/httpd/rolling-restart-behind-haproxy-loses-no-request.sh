# proves: while two httpd behind HAProxy are restarted in turn with --drain under load, no request fails
# needs: haproxy wrk apache2-utils nghttp2-client curl python3
. "$HERE/lib.sh"
. "$HERE/httpd/haproxy.bash"
require haproxy wrk ab h2load curl python3

mkdir site
head -c 2000 /dev/urandom >site/small
head -c 400000 /dev/urandom >site/big
declare -A pid=() port=([one]=$(free_port))
port[two]=$(free_port)
start() { # NAME
    "$BIN/httpd" -q --root site -b 127.0.0.1 -p "${port[$1]}" --access-log "$1.log" --log-format common \
        --trust-proxy 127.0.0.0/8 --proxy-protocol --health /-/health --drain 1 2>>"$1.err" &
    pid[$1]=$!
    cleanup "end $!"
    wait_for_port "${port[$1]}"
}
start one
start two
front=$(free_port)
write_haproxy_configuration 'maxconn 500' "stats socket $TMP/haproxy.sock" <<END
frontend front
    bind 127.0.0.1:$front
    default_backend files
backend files
    retries 3
    option redispatch
    retry-on conn-failure empty-response
    option httpchk GET /-/health
    default-server check inter 100ms fall 1 rise 1 send-proxy-v2
    server one 127.0.0.1:${port[one]}
    server two 127.0.0.1:${port[two]}
END
start_haproxy "$front"
are_up() { # both servers, for HAProxy
    state=$(python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b"show stat\n")
text = b""
while piece := s.recv(65536): text += piece
rows = [line.split(",") for line in text.decode().splitlines() if line.startswith("files,")]
print(*[row[17].split()[0] for row in rows if row[1] != "BACKEND"])' "$TMP/haproxy.sock")
    [[ $state == "UP UP" ]]
}
wait_until 6 are_up || fail "not in service: $state"

URL=http://127.0.0.1:$front
wrk -t1 -c16 -d9s "$URL/small" >wrk.out 2>&1 &
load=$!
h2load --h1 -c 4 -D 9 "$URL/big" >h2load.out 2>&1 &
downloads=$!
ab -q -t 9 -n 10000000 -c 4 "$URL/small" >ab.out 2>&1 &
closing=$!
sleep 1
for name in one two; do
    kill "${pid[$name]}"
    code=0
    wait "${pid[$name]}" || code=$?
    equal "$code" 0 "exit code of $name"
    start "$name"
    wait_until 6 are_up || fail "not in service: $state"
    sleep 0.3
done
wait "$load" "$downloads" "$closing"
cat wrk.out
grep -q 'requests in' wrk.out || fail "wrk: $(cat wrk.out)"
grep -E 'Socket errors|Non-2xx' wrk.out && fail "requests of wrk failed"
grep -q ' 0 failed, 0 errored, 0 timeout' h2load.out || fail "h2load: $(grep requests: h2load.out)"
grep -E '^Failed requests: +0$' ab.out || fail "ab: $(cat ab.out)"
grep -q '^Non-2xx' ab.out && fail "ab: $(cat ab.out)"
# All requests are in the logs, with the address of the client.
equal "$(cat one.log two.log | grep -v /-/health | awk '{print $1, $(NF - 1)}' | sort -u)" "127.0.0.1 200" "client and status in the logs"
