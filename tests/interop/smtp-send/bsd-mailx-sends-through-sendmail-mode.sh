# proves: bsd-mailx sends text and copies through the program, and shows why a message was refused
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
for tries in $(seq 100); do [ -f "$RECEIVED/1.envelope" ] && break; sleep 0.05; done # it does not wait for the program
arrived 1 text 'Subject=A subject' 'To=bob@example.com' 'Cc=cid@example.com' 'From=Ann <ann@example.org>'
envelope 1 'ann@example.org bob@example.com cid@example.com dan@example.com'

send -v -s Refused refused@example.com < text || true
for tries in $(seq 100); do [ -n "$(letters)" ] && break; sleep 0.05; done
grep -q '550 5.1.1' output || fail "bsd-mailx does not show why: $(cat output)"
[ "$(letters | wc -l)" = 1 ] || fail "letters: $(letters)"
