# proves: the log has the client address that HAProxy (send-proxy, send-proxy-v2, forwardfor) and nginx (X-Forwarded-For, proxy_protocol) send
# needs: haproxy nginx-light libnginx-mod-stream curl python3
. "$HERE/lib.sh"
. "$HERE/httpd/haproxy.bash"
module=/usr/lib/nginx/modules/ngx_stream_module.so
require haproxy nginx curl python3
[[ -e $module ]] || skip "nginx has no stream module"

mkdir site
echo hello >site/hello.txt
head -c 3000000 /dev/urandom >site/big
# Proxies connect from 127.0.0.1, clients from other loopback addresses.
serve site --log-format common --trust-proxy 127.0.0.1 --proxy-protocol --health /-/health --log-health
by_header=$PORT header_pid=$HTTPD_PID
mv access.log header.log
serve site --log-format common --trust-proxy 127.0.0.1
by_field=$PORT field_pid=$HTTPD_PID
mv access.log field.log

one=$(free_port) two=$(free_port) field=$(free_port)
write_haproxy_configuration <<END
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
start_haproxy "$one" "$two" "$field"
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
for port in "$web" "$stream"; do wait_for_port "$port"; done

number=10
for port in "$one" "$two" "$field" "$web" "$stream"; do
    number=$((number + 1))
    get() { curl -sS --fail --interface "127.0.0.$number" "$@"; }
    # HAProxy forwards requests after its first health check.
    wait_until 5 get -o /dev/null "http://127.0.0.1:$port/hello.txt" 2>errors || true
    equal "$(get "http://127.0.0.1:$port/hello.txt")" hello "through $port"
    get -o whole "http://127.0.0.1:$port/big" && cmp whole site/big || fail "a download through $port"
    # Fields of the client are ignored.
    equal "$(get -H 'X-Forwarded-For: 192.0.2.66' -H 'Forwarded: for=192.0.2.66' "http://127.0.0.1:$port/hello.txt")" hello "a forged field through $port"
done
# A client that is no trusted proxy is refused by the PROXY protocol, and its X-Forwarded-For is ignored.
curl -sS --interface 127.0.0.99 "http://127.0.0.1:$by_header/hello.txt" 2>errors && fail "a client without a PROXY header is served"
printf 'PROXY TCP4 192.0.2.66 127.0.0.1 1 2\r\nGET /hello.txt HTTP/1.0\r\n\r\n' |
    curl -sS --interface 127.0.0.99 "telnet://127.0.0.1:$by_header" >untrusted 2>&1 || true
[[ $(wc -c <untrusted) -lt 200 ]] && ! grep -q hello untrusted || fail "an untrusted client with a PROXY header is served"
curl -sS --fail -o /dev/null --interface 127.0.0.99 -H 'X-Forwarded-For: 192.0.2.66' "http://127.0.0.1:$by_field/hello.txt"

end "$header_pid"
end "$field_pid"
clients() { grep -v '/-/health' "$1" | awk '{print $1}' | sort -u | tr '\n' ' '; }
equal "$(clients header.log)" "127.0.0.11 127.0.0.12 127.0.0.15 " "clients by the PROXY protocol"
equal "$(clients field.log)" "127.0.0.13 127.0.0.14 127.0.0.99 " "clients by X-Forwarded-For"
equal "$(grep /-/health header.log | awk '{print $1}' | sort -u)" 127.0.0.1 "client of the health checks"
