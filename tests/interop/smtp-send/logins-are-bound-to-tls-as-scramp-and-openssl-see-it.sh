# proves: SCRAM-SHA-256-PLUS agrees with scramp and OpenSSL under TLS 1.3 and 1.2; a server in between and a removed offer are noticed
# needs: openssl python3
# needs-pip: scramp pyOpenSSL
. "$HERE/lib.sh"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.example.com -addext subjectAltName=DNS:mail.example.com \
    -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem 2> openssl.log || fail "openssl: $(cat openssl.log)"
export SMTP_PASSWORD=pencil
serve_logins() {
    PORT=$(free_port)
    python3 "$HERE/smtp-send/bound-logins.py" "$PORT" "$1" > server.log 2>&1 & cleanup "end $!"
    wait_for_port "$PORT"
}
log_in() {
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --tls implicit --tls-ca "$TMP/cert.pem" --tls-server-name mail.example.com --user ann \
        --from me@example.org --to bob@example.com --stop-after auth -v "$@" > report 2> dialogue
}
# refused WORDS OPTION...
refused() {
    local words=$1 code=0
    shift
    log_in "$@" || code=$?
    [ $code = 77 ] && tail -1 dialogue | grep -qF -- "$words" || fail "$words: exit $code: $(cat dialogue server.log)"
}

serve_logins exporter
log_in || fail "exporter: exit $?: $(cat dialogue server.log)"
grep -q 'TLSv1.3' dialogue && grep -q 'welcome by SCRAM-SHA-256-PLUS' server.log || fail "exporter: $(cat dialogue server.log)"
log_in --auth scram-sha-256-plus || fail "exporter: exit $?: $(cat dialogue server.log)"
SMTP_PASSWORD=wrong refused 'SCRAM-SHA-256-PLUS: the server refuses the exchange'
serve_logins end-point
log_in || fail "end-point: exit $?: $(cat dialogue server.log)"
grep -q 'TLSv1.2' dialogue && grep -q 'welcome by SCRAM-SHA-256-PLUS' server.log || fail "end-point: $(cat dialogue server.log)"

serve_logins relayed
refused 'another TLS connection than this one'
serve_logins stripped
refused 'its offer has not arrived'
