# proves: issuer and name of the certificate of Postfix are checked, and the error names the option that helps
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
start_postfix

send() { "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x "$@" > report 2> errors; }

code=0
send --tls starttls || code=$?
[ $code = 77 ] || fail "unknown issuer: exit $code: $(cat errors)"
grep -q -- '--tls-ca FILE' errors || fail "no option named: $(cat errors)"
[ "$(wc -l < errors)" = 1 ] || fail "more than one line: $(cat errors)"

code=0
send --tls-ca "$TMP/cert.pem" || code=$?
[ $code = 77 ] || fail "wrong name: exit $code: $(cat errors)"
grep -q mail.example.com errors || fail "the name of the certificate is missing: $(cat errors)"

send --tls starttls --tls-ca "$TMP/cert.pem" --tls-server-name mail.example.com --json || fail "exit $?: $(cat errors)"
grep -q '"certificate_checked":true' report || fail "$(cat report)"
wait_for_mail 1
grep -q 'with ESMTPS' "$MAILBOX"/new/* || fail "not encrypted: $(cat "$MAILBOX"/new/*)"
