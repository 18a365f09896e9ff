# proves: after a kill a bulk run continues and Postfix has each message once, a merge sends every row, and the queue delivers deferred mail
# needs: postfix openssl python3
. "$HERE/lib.sh"
require postfix python3
. "$HERE/smtp-send/postfix.bash"
start_postfix
subjects() { grep -h '^Subject: ' "$MAILBOX"/new/* | sort; }

# A run over several connections is killed; the same command continues it.
mkdir messages
for number in {1..300}; do
    printf 'From: me@example.org\r\nTo: bob@example.com\r\nSubject: message %d\r\n\r\nText.\r\n' "$number" >"messages/$number.eml"
done
run=("$BIN/smtp-send" --server "127.0.0.1:$PORT" --eml messages --connections 3 --journal journal)
"${run[@]}" >report 2>errors &
pid=$!
cleanup "end $pid"
for ((tries = 0; tries < 1000; tries++)); do # in short steps, because the run is fast
    [[ $(wc -l <report) -ge 60 ]] && break
    sleep 0.01
done
kill -9 $pid
wait $pid 2>/dev/null || true
[[ $(wc -l <report) -lt 300 ]] || fail "the run ended before the kill"
code=0
"${run[@]}" >>report 2>errors || code=$?
grep -q 'resumed: [0-9]* of 300 messages are done' errors || fail "the run started again: $(<errors)"
unknown=$(sed -n 's/.*possible duplicates, not sent again without --resend-unknown: \([0-9]*\) .*/\1/p' errors)
[[ $code -eq $([[ -n $unknown ]] && echo 75 || echo 0) ]] || fail "exit $code: $(<errors)"
[[ ${unknown:-0} -le 3 ]] || fail "more than one unknown result per connection: $(<errors)"
wait_for_mail $((300 - ${unknown:-0}))
has_empty_queue() { [[ -z $(find "$POSTFIX/spool/incoming" "$POSTFIX/spool/active" -type f) ]]; }
wait_until 5 has_empty_queue || fail "messages are still in the queue of Postfix"
[[ -z $(subjects | uniq -d) ]] || fail "duplicates: $(subjects | uniq -d)"
echo "killed after $(wc -l <report | cut -d' ' -f1) lines in all, unknown: ${unknown:-0}, delivered: $(subjects | wc -l)"
rm "$MAILBOX"/new/*

# A merge with two rows, parsed by Python.
printf 'email;name;order\nbob@example.com;"Jörg ""Bär"", Dr.";1\nann@example.com;Ånn <&>;2\n' >people.csv
printf 'From: me@example.org\nTo: {name} <{email}>\nSubject: Order {order} for {name}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nDear {name}, gr=C3=BC=C3=9Fe, {{sic}\n' >template.eml
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --merge people.csv template.eml --merge-separator ';' >report 2>errors ||
    fail "merge: exit $?: $(<errors)"
wait_for_mail 2
python3 - "$MAILBOX"/new/* <<'PY' || fail "a merged message differs"
import email, email.policy, sys
messages = {}
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default.clone(raise_on_defect=True))
    [to] = message["To"].addresses
    messages[to.addr_spec] = (to.display_name, message["Subject"], message.get_content().strip())
for address, name, order in (("bob@example.com", 'Jörg "Bär", Dr.', 1), ("ann@example.com", "Ånn <&>", 2)):
    assert messages[address] == (name, f"Order {order} for {name}", f"Dear {name}, grüße, {{sic}}"), messages[address]
PY
rm "$MAILBOX"/new/*

# Without a listening server the message is queued; it is delivered as soon as there is one.
export XDG_CONFIG_HOME=$TMP/config XDG_STATE_HOME=$TMP/state
mkdir -p config/smtp-send
closed=$(free_port)
account() { printf '[account.default]\nserver = "127.0.0.1:%s"\nfrom = "me@example.org"\n' "$1" >config/smtp-send/config.toml; }
account "$closed"
printf 'Subject: kept\n\nText.\n' | "$BIN/smtp-send" sendmail --queue -i bob@example.com || fail "sendmail --queue: exit $?"
"$BIN/smtp-send" queue list | tee list
grep -q 'bob@example.com' list || fail "the queue is empty"
account "$PORT"
"$BIN/smtp-send" queue run --all || fail "queue run: exit $?"
wait_for_mail 1
grep -q '^Subject: kept' "$MAILBOX"/new/* || fail "another message was delivered"
[[ -z $("$BIN/smtp-send" queue list | grep bob@example.com) ]] || fail "the message is still in the queue"
