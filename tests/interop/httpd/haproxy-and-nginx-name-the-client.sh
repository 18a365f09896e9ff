# proves: the client whom HAProxy (send-proxy, send-proxy-v2, forwardfor) and nginx (X-Forwarded-For, proxy_protocol) name is that of the log
# needs: haproxy nginx-light libnginx-mod-stream curl python3
. "$HERE/lib.sh"
PATH=$PATH:/usr/sbin
module=/usr/lib/nginx/modules/ngx_stream_module.so
require haproxy nginx curl python3
[[ -e $module ]] || skip "nginx has no module for streams here"

mkdir site
echo hello >site/hello.txt
head -c 3000000 /dev/urandom >site/big
# The proxies come from 127.0.0.1, the clients from other addresses of loopback.
serve site --log-format common --trust-proxy 127.0.0.1 --proxy-protocol --health /-/health
by_header=$PORT header_pid=$HTTPD_PID
mv access.log header.log
serve site --log-format common --trust-proxy 127.0.0.1
by_field=$PORT field_pid=$HTTPD_PID
mv access.log field.log

one=$(free_port) two=$(free_port) field=$(free_port)
cat >haproxy.cfg <<END
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend v1
    bind 127.0.0.1:$one
    default_backend v1
backend v1
    option httpchk GET /-/health
    server one 127.0.0.1:$by_header send-proxy check inter 100ms
frontend v2
    bind 127.0.0.1:$two
    default_backend v2
backend v2
    option httpchk GET /-/health
    server one 127.0.0.1:$by_header send-proxy-v2 proxy-v2-options crc32c,unique-id check inter 100ms
frontend field
    bind 127.0.0.1:$field
    default_backend field
backend field
    option forwardfor
    http-reuse always
    server one 127.0.0.1:$by_field
END
haproxy -f haproxy.cfg -db >haproxy.out 2>&1 &
cleanup "end $!"
web=$(free_port) stream=$(free_port)
cat >nginx.conf <<END
load_module $module;
worker_processes 1; pid $TMP/nginx.pid; error_log $TMP/nginx.err; daemon off;
events { worker_connections 256; }
http {
    access_log off;
    upstream files { server 127.0.0.1:$by_field; keepalive 4; }
    server {
        listen 127.0.0.1:$web;
        location / {
            proxy_pass http://files; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
        }
    }
}
stream { server { listen 127.0.0.1:$stream; proxy_pass 127.0.0.1:$by_header; proxy_protocol on; } }
END
nginx -c "$TMP/nginx.conf" 2>nginx.out &
cleanup "end $!"
for port in "$one" "$two" "$field" "$web" "$stream"; do wait_for_port "$port"; done

number=10
for port in "$one" "$two" "$field" "$web" "$stream"; do
    number=$((number + 1))
    get() { curl -sS --fail --interface "127.0.0.$number" "$@"; }
    for ((tries = 0; tries < 50; tries++)); do # Until the first check of HAProxy has passed.
        get -o /dev/null "http://127.0.0.1:$port/hello.txt" 2>errors && break
        sleep 0.1
    done
    equal "$(get "http://127.0.0.1:$port/hello.txt")" hello "through $port"
    get -o whole "http://127.0.0.1:$port/big" && cmp whole site/big || fail "a download through $port"
    # What a client says of itself counts for nothing.
    equal "$(get -H 'X-Forwarded-For: 192.0.2.66' -H 'Forwarded: for=192.0.2.66' "http://127.0.0.1:$port/hello.txt")" hello "a liar through $port"
done
# Who is no proxy is not heard where a header is expected, and believed nowhere.
curl -sS --interface 127.0.0.99 "http://127.0.0.1:$by_header/hello.txt" 2>errors && fail "a stranger is served"
printf 'PROXY TCP4 192.0.2.66 127.0.0.1 1 2\r\nGET /hello.txt HTTP/1.0\r\n\r\n' |
    curl -sS --interface 127.0.0.99 "telnet://127.0.0.1:$by_header" >stranger 2>&1 || true
[[ $(wc -c <stranger) -lt 200 ]] && ! grep -q hello stranger || fail "a stranger with a header is served"
curl -sS --fail -o /dev/null --interface 127.0.0.99 -H 'X-Forwarded-For: 192.0.2.66' "http://127.0.0.1:$by_field/hello.txt"

end "$header_pid"
end "$field_pid"
clients() { grep -v '/-/health' "$1" | awk '{print $1}' | sort -u | tr '\n' ' '; }
equal "$(clients header.log)" "127.0.0.11 127.0.0.12 127.0.0.15 " "clients by the PROXY protocol"
equal "$(clients field.log)" "127.0.0.13 127.0.0.14 127.0.0.99 " "clients by a field"
equal "$(grep /-/health header.log | awk '{print $1}' | sort -u)" 127.0.0.1 "who asked for the health"
