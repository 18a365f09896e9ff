# proves: bsd-mailx sends text and copies through sendmail mode, and shows why a message was refused
# needs: python3 libbsd0 liblockfile1
# unpacks: bsd-mailx
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
make_home "from = 'Ann <ann@example.org>'"
MAILX=$UNPACKED/bsd-mailx/usr/bin/bsd-mailx
[ -x "$MAILX" ] || skip 'bsd-mailx is not unpacked'
echo "set sendmail=$SENDMAIL" > mailrc
export MAILRC=$TMP/mailrc
send() { "$MAILX" -n "$@" > output 2>&1; }

printf 'Hello.\n.dot\nFrom here\n' > text
send -s 'A subject' -c cid@example.com -b dan@example.com bob@example.com < text || fail "exit $?: $(cat output)"
wait_for_message 1 # bsd-mailx does not wait for sendmail
received 1 text 'Subject=A subject' 'To=bob@example.com' 'Cc=cid@example.com' 'From=Ann <ann@example.org>'
envelope 1 'ann@example.org bob@example.com cid@example.com dan@example.com'

send -v -s Refused refused@example.com < text || true
has_dead_letter() { [ -n "$(dead_letters)" ]; }
wait_until 5 has_dead_letter || fail "no dead letter"
grep -q '550 5.1.1' output || fail "bsd-mailx does not show the reply: $(cat output)"
[ "$(dead_letters | wc -l)" = 1 ] || fail "dead letters: $(dead_letters)"
