# proves: the HAProxy configuration in dist is valid, balances two httpd, passes on the client address, and no request fails during restarts
# needs: haproxy curl python3
. "$HERE/lib.sh"
. "$HERE/httpd/haproxy.bash"
require haproxy curl python3

mkdir site && echo hello >site/hello.txt
one=$(free_port) two=$(free_port) front=$(free_port)
sed "s/:6791/:$one/; s/:6792/:$two/; s/:8080/127.0.0.1:$front/" "$HERE/../../crates/httpd/dist/haproxy.cfg" >haproxy.cfg
haproxy -c -f "$HERE/../../crates/httpd/dist/haproxy.cfg" >check 2>&1 || fail "haproxy -c: $(<check)"
start() { # PORT: sets STARTED
    "$BIN/httpd" --root site --bind "127.0.0.1:$1" --trust-proxy 127.0.0.1 --proxy-protocol --health /-/health --drain 3 \
        --access-log "log.$1" --log-format common 2>>httpd.err &
    STARTED=$!
    cleanup "end $STARTED"
}
start "$one" && first=$STARTED
start "$two" && second=$STARTED
wait_for_port "$one" && wait_for_port "$two"
start_haproxy "$front"
wait_until 5 curl -sS --fail -o /dev/null "http://127.0.0.1:$front/hello.txt" 2>/dev/null || true
sleep 1.2 # Two health checks of both servers.
(while [[ ! -e done ]]; do
    echo "$(curl -sS --interface 127.0.0.9 "http://127.0.0.1:$front/hello.txt" 2>&1)" >>responses
    sleep 0.01
done) &
client=$!
cleanup "touch '$TMP/done'; wait $client"
sleep 0.5
kill -TERM $first && wait $first
start "$one" && wait_for_port "$one"
sleep 1.5
kill -TERM $second && wait $second
start "$two" && wait_for_port "$two"
sleep 0.5
touch done && wait $client || true
equal "$(sort -u responses)" hello "responses while both were restarted"
[[ $(wc -l <responses) -gt 40 ]] || fail "only $(wc -l <responses) responses"
for port in "$one" "$two"; do
    grep -q '^127.0.0.9 .*hello.txt' "log.$port" || fail "no client address in the log of $port: $(tail -3 "log.$port")"
done
echo "$(wc -l <responses) responses, both servers restarted, none failed"
