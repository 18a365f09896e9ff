# proves: Postfix with SASL of Dovecot accepts SCRAM-SHA-256, PLAIN, LOGIN and CRAM-MD5, a wrong password is reported, and no secret is printed
# needs: postfix dovecot-core openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
. "$HERE/smtp-send/dovecot.bash"
start_dovecot "protocols =
service auth {
  unix_listener $TMP/auth {
    mode = 0666
  }
}"
start_postfix "smtpd_sasl_type = dovecot" "smtpd_sasl_path = $TMP/auth" "smtpd_sasl_auth_enable = yes" \
    "smtpd_recipient_restrictions = permit_sasl_authenticated, reject"

password='s3cret, with a comma'
export SMTP_PASSWORD=$password
sent=0
# Sends with the login of bob@example.com.
send() {
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x -v --user bob@example.com \
        "$@" > report 2> dialogue
}
logs_in() {
    local mechanism=$1
    shift
    send "$@" || fail "$mechanism: exit $?: $(tail -5 dialogue)"
    sent=$((sent + 1))
    wait_for_mail $sent
    grep -q "sasl_method=$mechanism, sasl_username=bob@example.com" "$POSTFIX/log" || fail "$mechanism: $(tail -5 "$POSTFIX/log")"
    for secret in "$password" "$(printf %s "$password" | base64)" "$(printf '\0bob@example.com\0%s' "$password" | base64)"; do
        grep -qF -e "$secret" dialogue report && fail "$mechanism: the secret is in the output: $(cat dialogue)"
    done
    true
}

tls=(--tls-ca "$TMP/cert.pem" --tls-server-name mail.example.com)
logs_in SCRAM-SHA-256 "${tls[@]}"
for mechanism in plain login cram-md5 scram-sha-256; do
    logs_in "${mechanism^^}" "${tls[@]}" --auth $mechanism
done
logs_in SCRAM-SHA-256 --tls off --allow-cleartext-login
printf '%s\n' "$password" > password && chmod 600 password
SMTP_PASSWORD='' logs_in PLAIN "${tls[@]}" --auth plain --password-file password

code=0
SMTP_PASSWORD=wrong send "${tls[@]}" || code=$?
[ $code = 77 ] || fail "wrong password: exit $code: $(cat dialogue)"
grep -q 'login of bob@example.com by SCRAM-SHA-256 refused: 535 5.7.8' dialogue || fail "wrong password: $(tail -1 dialogue)"
code=0
send --tls-server-name other.example.com --tls-ca "$TMP/cert.pem" || code=$?
[ $code = 77 ] && ! grep -qF -- '-> (AUTH' dialogue || fail "wrong name in the certificate: exit $code: $(cat dialogue)"
code=0
send --tls off --auth plain || code=$?
[ $code = 77 ] || fail "clear text: exit $code: $(cat dialogue)"
code=0
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x "${tls[@]}" 2> errors || code=$?
[ $code = 69 ] || fail "no login: exit $code: $(cat errors)"
send "${tls[@]}" --stop-after auth || fail "probe: $(cat dialogue)"
grep -q 'answered up to auth' report || fail "probe: $(cat report)"
