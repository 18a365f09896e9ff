# proves: curl trusts the certificate over TLS 1.2 and 1.3, openssl resumes sessions, older versions and weak ciphers are refused
# needs: curl openssl python3
. "$HERE/lib.sh"
require curl openssl python3

mkdir site
head -c 3000000 /dev/urandom >site/big
echo hello >site/hello.txt
self_signed localhost
REDIRECT=$(free_port)
serve site --bind 127.0.0.1 --redirect-http "$REDIRECT" --tls-cert cert.pem --tls-key key.pem
SECURE=https://localhost:$PORT
fetch() { curl -sS --fail --cacert cert.pem --resolve "localhost:$PORT:127.0.0.1" --resolve "localhost:$REDIRECT:127.0.0.1" "$@"; }

for version in 1.2 1.3; do
    fetch --tlsv$version --tls-max $version -o whole "$SECURE/big" && cmp whole site/big
    equal "$(fetch --tlsv$version --tls-max $version -w '%{http_version} %{ssl_verify_result}' "$SECURE/hello.txt")" $'hello\n1.1 0' "TLS $version"
done
equal "$(fetch -o /dev/null -o /dev/null -w '%{num_connects}' "$SECURE/hello.txt" "$SECURE/big")" 10 "connections of two requests"
equal "$(fetch -v "$SECURE/hello.txt" 2>&1 | grep -ci 'ALPN.*accepted.*http/1.1')" 1 "ALPN"
equal "$(fetch -L -w '%{url_effective} %{num_redirects}' "http://localhost:$REDIRECT/hello.txt?a=b")" $'hello\n'"$SECURE/hello.txt?a=b 1" "redirect"
grep -q "This port speaks HTTPS: http" <<<"$(curl -sS "http://127.0.0.1:$PORT/hello.txt")" || fail "a request in clear text to the HTTPS port"

client() { # OPTION...: sends a request with openssl s_client
    printf 'GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
        timeout 10 openssl s_client -connect "127.0.0.1:$PORT" -servername localhost -CAfile cert.pem -ign_eof "$@" 2>&1
}
for version in tls1_2 tls1_3; do
    client -$version -sess_out session | grep -q '^New, ' || fail "$version: no new session"
    client -$version -sess_in session >resumed || true
    grep -q '^Reused, ' resumed || fail "$version: not resumed: $(cat resumed)"
    grep -qx hello resumed || fail "$version: no response in a resumed session"
done
# At security level 0 the client does not refuse.
for version in tls1 tls1_1; do
    client -$version -cipher ALL:@SECLEVEL=0 >old || true
    grep -qE "alert (protocol version|handshake failure)" old || fail "$version: $(cat old)"
done
client -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0 >weak || true
grep -q "handshake failure" weak || fail "CBC: $(cat weak)"
