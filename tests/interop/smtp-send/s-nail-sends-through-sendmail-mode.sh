# proves: s-nail sends umlauts and copies through sendmail mode, and shows why a message was refused
# needs: s-nail python3
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/sendmail.bash"
start_receiver
make_home "from = 'ann@example.org'"
# For root, s-nail sets HOME to that of /etc/passwd.
export XDG_CONFIG_HOME=$HOME/.config XDG_STATE_HOME=$HOME/.local/state
send() {
    s-nail -:/ -S mta="$SENDMAIL" -S ttycharset=utf-8 -S sendcharsets=utf-8 -S sendwait -S nosave "$@" > output 2>&1
}

printf 'Grüße.\n.\n..two\nFrom here\n' > text
send -s 'Schöne Grüße' -r 'cid@example.org' -c dan@example.com -b eve@example.com bob@example.com < text ||
    fail "exit $?: $(cat output)"
received 1 text 'Subject=Schöne Grüße' 'To=bob@example.com' 'Cc=dan@example.com' 'From=cid@example.org'
envelope 1 'cid@example.org bob@example.com dan@example.com eve@example.com'
send -s Plain bob@example.com < text || fail "exit $?: $(cat output)"
received 2 text Subject=Plain
envelope 2 'ann@example.org bob@example.com'
equal "$(dead_letters)" '' 'dead letters'

code=0
send -s Refused refused@example.com < text || code=$?
[ $code -ne 0 ] || fail 's-nail succeeds for a refused message'
grep -q '550 5.1.1' output || fail "s-nail does not show the reply: $(cat output)"
[ "$(dead_letters | wc -l)" = 1 ] || fail "dead letters: $(dead_letters)"
