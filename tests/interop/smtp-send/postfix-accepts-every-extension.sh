# proves: Postfix accepts chunks, SMTPUTF8 addresses and DSN requests, with its strictest rules about line ends and pipelining
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
start_postfix 'smtpd_forbid_bare_newline = yes' 'smtputf8_enable = yes' 'virtual_mailbox_maps = static:box/' \
    'smtpd_data_restrictions = reject_unauth_pipelining' 'smtpd_forbid_unauth_pipelining = yes' 'strict_smtputf8 = yes'

# delivers DESCRIPTION ADDRESS OPTION...: sends the file "text" and compares the delivered message.
delivers() {
    local description=$1 to=$2
    shift 2
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to "$to" --subject 'Grüße' -v "$@" \
        < text > report 2> dialogue || fail "$description: exit $?: $(tail -5 dialogue)"
    wait_for_mail 1
    python3 "$HERE/smtp-send/compare-delivered.py" "$MAILBOX"/new/* text 'Subject=Grüße' || fail "$description: the message differs"
    mv "$MAILBOX"/new/* delivered
}

printf '.\nUmlaute: äöü\rthree kinds\nof line ends\r\n.' > text
delivers 'by chunks' bob@example.com
grep -q -- '-> DATA' dialogue && fail "DATA was used although CHUNKING is offered: $(cat dialogue)"
delivers 'by DATA' bob@example.com --no-chunking
grep -q -- '-> DATA' dialogue || fail "no DATA: $(cat dialogue)"
python3 -c 'for number in range(150000): print(f".line {number} über")' > text
delivers 'several chunks' bob@example.com
delivers 'several chunks over TLS' bob@example.com --tls starttls --insecure

printf 'Hello.\n' > text
delivers 'a SMTPUTF8 address' 'Jörg Müller <jörg@example.com>'
grep -q -- '-> MAIL FROM:<me@example.org> .*SMTPUTF8' dialogue || fail "no SMTPUTF8: $(cat dialogue)"
grep -q 'To: .*jörg@example.com' delivered || fail "the address in the header: $(cat delivered)"
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to ann@bücher.example --stop-after rcpt -v 2> dialogue || true
grep -q -- '-> RCPT TO:<ann@xn--bcher-kva.example>' dialogue || fail "no A-label: $(cat dialogue)"

"$BIN/smtp-send" --server "127.0.0.1:$PORT" --from ann@example.com --to bob@example.com --body x --dsn-notify success \
    --dsn-ret hdrs --dsn-envid 'batch 7+1' > report 2> errors || fail "delivery report: $(cat errors)"
wait_for_mail 2
grep -lq '^Original-Envelope-Id: batch 7+1' "$MAILBOX"/new/* || fail "no delivery report with the envelope id: $(cat "$MAILBOX"/new/*)"
grep -q '^Original-Recipient: rfc822;bob@example.com' "$MAILBOX"/new/* || fail "no original recipient: $(cat "$MAILBOX"/new/*)"

code=0
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x --tls starttls --insecure \
    --require-tls 2> errors || code=$?
[ $code = 64 ] || fail "--require-tls --insecure: exit $code: $(cat errors)"
code=0
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --body x --tls-ca "$TMP/cert.pem" \
    --tls-server-name mail.example.com --require-tls 2> errors || code=$?
[ $code = 69 ] && grep -q 'does not offer REQUIRETLS' errors || fail "--require-tls: exit $code: $(cat errors)"
