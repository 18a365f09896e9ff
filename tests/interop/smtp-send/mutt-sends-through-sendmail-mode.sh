# proves: mutt sends umlauts, attachments and Bcc through sendmail mode, with DSN, and shows the exit code of a refused message
# needs: mutt python3
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
make_home
cat > muttrc <<END
set sendmail="$SENDMAIL -oem -oi"
set from="Ann Ü <ann@example.org>"
set use_from=yes use_envelope_from=yes copy=no charset=utf-8 send_charset=utf-8 allow_8bit=yes
END
send() { mutt -n -F muttrc "$@" > output 2>&1; }

printf 'Grüße.\n.\n..two\nFrom here\n' > text
send -s 'Schöne Grüße' -c cid@example.com -b dan@example.com -- bob@example.com < text || fail "exit $?: $(cat output)"
received 1 text 'Subject=Schöne Grüße' 'From=Ann Ü <ann@example.org>' 'To=bob@example.com' 'Cc=cid@example.com'
envelope 1 'ann@example.org bob@example.com cid@example.com dan@example.com'

head -c 100000 /dev/urandom > data.bin
send -s 'With a file' -a data.bin -- bob@example.com < text || fail "exit $?: $(cat output)"
received 2 text
python3 - "$RECEIVED/2.eml" data.bin <<'END' || fail 'the attachment differs'
import email, sys
message = email.message_from_binary_file(open(sys.argv[1], "rb"))
assert message.get_payload()[1].get_payload(decode=True) == open(sys.argv[2], "rb").read()
END

echo 'set dsn_notify="failure,delay" dsn_return=hdrs' >> muttrc
send -s DSN -- bob@example.com < text || fail "with -N and -R: exit $?: $(cat output)"
received 3 text Subject=DSN
equal "$(dead_letters)" '' 'dead letters'

code=0
send -s Refused -- refused@example.com < text || code=$?
[ $code -ne 0 ] || fail 'mutt succeeds for a refused message'
grep -q '67' output || fail "mutt does not show the exit code: $(cat output)"
[ "$(dead_letters | wc -l)" = 1 ] || fail "dead letters: $(dead_letters)"
