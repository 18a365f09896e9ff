# proves: Postfix with the PROXY protocol accepts both versions of the header, with and without TLS, and logs the client address in it
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
start_postfix 'inet_protocols = all' 'smtpd_upstream_proxy_protocol = haproxy' 'smtpd_client_restrictions = check_client_access inline:{192.0.2.66=REJECT}'

send() { "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x -v "$@" > report 2> dialogue; }
sent=0
# logs_client CLIENT OPTION...: Postfix accepts a message and logs this client address.
logs_client() {
    local client=$1
    shift
    send "$@" || fail "$*: exit $?: $(tail -5 dialogue)"
    sent=$((sent + 1))
    wait_for_mail $sent
    grep -q "client=.*\[$client\]" "$POSTFIX/log" || fail "$*: $(tail -5 "$POSTFIX/log")"
}
logs_client 192.0.2.7 --proxy-protocol v1 --proxy-client 192.0.2.7
logs_client 192.0.2.8 --proxy-protocol v2 --proxy-client 192.0.2.8:4000
logs_client 127.0.0.1 --proxy-protocol v2
logs_client 2001:db8::7 --proxy-protocol v1 --proxy-client 2001:db8::7
logs_client 2001:db8::8 --proxy-protocol v2 --proxy-client '[2001:db8::8]:4000' --tls starttls --insecure
code=0
send --proxy-protocol v2 --proxy-client 192.0.2.66 || code=$?
[ $code = 69 ] || fail "a refused client address: exit $code: $(tail -3 dialogue)"
code=0
send --timeout 8 || code=$?
[ $code = 75 ] || fail "no header: exit $code: $(tail -3 dialogue)"
