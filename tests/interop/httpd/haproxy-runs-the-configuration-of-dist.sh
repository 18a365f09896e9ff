# proves: the HAProxy configuration in dist is valid, shares the load of two httpd, names the client, and survives their restarts
# needs: haproxy curl python3
. "$HERE/lib.sh"
PATH=$PATH:/usr/sbin
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
haproxy -f haproxy.cfg -db >haproxy.out 2>&1 &
cleanup "end $!"
wait_for_port "$front"
for ((tries = 0; tries < 100; tries++)); do curl -sS --fail -o /dev/null "http://127.0.0.1:$front/hello.txt" 2>/dev/null && break; sleep 0.05; done
sleep 1.2 # Until both have passed two checks.
(while [[ ! -e done ]]; do
    echo "$(curl -sS --interface 127.0.0.9 "http://127.0.0.1:$front/hello.txt" 2>&1)" >>answers
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
equal "$(sort -u answers)" hello "answers while both were restarted"
[[ $(wc -l <answers) -gt 40 ]] || fail "only $(wc -l <answers) answers"
for port in "$one" "$two"; do
    grep -q '^127.0.0.9 .*hello.txt' "log.$port" || fail "the log of $port does not name the client: $(tail -3 "log.$port")"
done
echo "$(wc -l <answers) answers, both restarted, none failed"
