# proves: a refusal of Postfix is reported with its reply code, and the other recipients get the message
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
start_postfix 'message_size_limit = 10000' 'smtpd_relay_restrictions = reject_unauth_destination'

send() { "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org "$@" > report 2> errors; }

code=0
send --to unknown@example.com,bob@example.com --body x || code=$?
[ $code = 67 ] || fail "exit $code: $(cat errors)"
grep -q '^bob@example.com: accepted' report || fail "$(cat report)"
grep -q '^unknown@example.com: refused at RCPT: 550 5.1.1 ' report || fail "$(cat report)"
wait_for_mail 1

code=0
send --to someone@elsewhere.example --body x || code=$?
[ $code = 69 ] || fail "relaying: exit $code: $(cat errors)"
grep -q 'Relay access denied' errors || fail "$(cat errors)"

head -c 20000 /dev/zero | tr '\0' 'x' > large
code=0
send --to bob@example.com --body-file large || code=$?
[ $code = 69 ] || fail "size: exit $code: $(cat errors)"
grep -q 'at most 10000' errors || fail "$(cat errors)"
wait_for_mail 1
