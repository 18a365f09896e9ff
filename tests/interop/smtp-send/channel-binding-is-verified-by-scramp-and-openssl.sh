# proves: scramp and OpenSSL verify SCRAM-SHA-256-PLUS under TLS 1.3 and 1.2; a relayed connection and a removed offer are detected
# needs: openssl python3
# needs-pip: scramp pyOpenSSL
. "$HERE/lib.sh"
self_signed mail.example.com -newkey rsa:2048
export SMTP_PASSWORD=pencil
start_login_server() {
    PORT=$(free_port)
    python3 "$HERE/smtp-send/channel-binding-server.py" "$PORT" "$1" > server.log 2>&1 & cleanup "end $!"
    wait_for_port "$PORT"
}
log_in() {
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --tls implicit --tls-ca "$TMP/cert.pem" --tls-server-name mail.example.com --user ann \
        --from me@example.org --to bob@example.com --stop-after auth -v "$@" > report 2> dialogue
}
# refused TEXT OPTION...
refused() {
    local text=$1 code=0
    shift
    log_in "$@" || code=$?
    [ $code = 77 ] && tail -1 dialogue | grep -qF -- "$text" || fail "$text: exit $code: $(cat dialogue server.log)"
}

start_login_server exporter
log_in || fail "exporter: exit $?: $(cat dialogue server.log)"
grep -q 'TLSv1.3' dialogue && grep -q 'login by SCRAM-SHA-256-PLUS' server.log || fail "exporter: $(cat dialogue server.log)"
log_in --auth scram-sha-256-plus || fail "exporter: exit $?: $(cat dialogue server.log)"
SMTP_PASSWORD=wrong refused 'SCRAM-SHA-256-PLUS: the server refuses the exchange'
start_login_server end-point
log_in || fail "end-point: exit $?: $(cat dialogue server.log)"
grep -q 'TLSv1.2' dialogue && grep -q 'login by SCRAM-SHA-256-PLUS' server.log || fail "end-point: $(cat dialogue server.log)"

start_login_server relayed
refused 'the server sees another TLS connection'
start_login_server stripped
refused 'the offer did not arrive'
