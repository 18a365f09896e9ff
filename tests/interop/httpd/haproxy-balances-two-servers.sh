# proves: behind HAProxy two httpd return correct responses (keep-alive, HEAD, ranges, 304), also while one is stopped
# needs: haproxy curl python3
. "$HERE/lib.sh"
. "$HERE/httpd/haproxy.bash"
require haproxy curl python3

mkdir site
head -c 3000000 /dev/urandom >site/big
echo hello >site/hello.txt
serve site
first=$HTTPD_PID first_port=$PORT
mv access.log first.log
serve site
second_port=$PORT
front=$(free_port)
write_haproxy_configuration 'maxconn 200' <<EOF
frontend front
    bind 127.0.0.1:$front
    default_backend files
backend files
    retries 3
    option redispatch
    http-reuse always
    retry-on conn-failure empty-response
    option httpchk GET /hello.txt
    default-server check inter 200ms fall 1 rise 1
    server one 127.0.0.1:$first_port
    server two 127.0.0.1:$second_port
EOF
start_haproxy "$front"
URL=http://127.0.0.1:$front

for _ in 1 2; do # HAProxy alternates between the servers.
    curl -sS --fail -o whole "$URL/big" && cmp whole site/big || fail "the whole file differs"
    curl -sS --fail -r 1000000-1999999 -o part "$URL/big" && cmp part <(tail -c +1000001 site/big | head -c 1000000) || fail "a range differs"
    equal "$(curl -sS -I "$URL/big" | tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: //p')" 3000000 "Content-Length of HEAD"
done
curl -sS --fail --etag-save tag -o /dev/null "$URL/hello.txt"
for _ in 1 2; do # Both servers have the same ETag.
    equal "$(curl -sS --etag-compare tag -o /dev/null -w '%{http_code}' "$URL/hello.txt")" 304 "status of a revalidation"
done
equal "$(curl -sS -d x=y -o /dev/null -w '%{http_code}' "$URL/hello.txt")" 405 "status of a POST with a body"

# A stop under load fails no request: current responses are finished, idle connections closed, new requests go to the other.
urls=()
for _ in {1..400}; do urls+=("$URL/hello.txt"); done
for client in 1 2 3 4; do
    curl -sS --fail "${urls[@]}" >"responses.$client" 2>"errors.$client" &
    clients[client]=$!
done
sleep 0.1
end "$first"
for client in 1 2 3 4; do
    wait "${clients[client]}" || fail "client $client: $(tail -3 "errors.$client")"
    equal "$(sort -u "responses.$client") $(wc -l <"responses.$client")" "hello 400" "responses"
done
