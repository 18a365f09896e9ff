# proves: without --server, mail reaches two Postfix by the MX records of NSD, past unreachable exchangers, and each recipient is reported
# needs: postfix nsd openssl iproute2 python3
. "$HERE/lib.sh"
require nsd postfix ip
. "$HERE/smtp-send/mail_exchangers.bash"
make_hosts
# 192.0.2.9 does not exist.
write_zone test << 'END'
one MX 10 down.one
one MX 20 missing.one
one MX 30 mx.one
down.one A 192.0.2.9
mx.one A 192.0.2.2
two A 192.0.2.3
alias CNAME simple
simple MX 10 mx.one
odd MX 10 pointer.odd
pointer.odd CNAME mx.one
null MX 0 .
lost MX 10 nowhere
END
start_nsd 192.0.2.1@53 test
MAPS="inline:{bob@one.test=box/, ann@one.test=box/, bob@odd.test=box/, bob@alias.test=box/}"
start_exchanger 2 mx.one.test 'virtual_mailbox_domains = one.test, odd.test, alias.test' "virtual_mailbox_maps = $MAPS"
start_exchanger 3 two.test 'virtual_mailbox_domains = two.test' 'virtual_mailbox_maps = inline:{bob@two.test=box/}'

to=bob@one.test,bob@two.test,ann@one.test,unknown@two.test,bob@odd.test,bob@alias.test,x@null.test,x@lost.test,x@missing.test,x@elsewhere.invalid
begin=$SECONDS code=0
send --dns-server 192.0.2.1 --to "$to" --subject 'To all' --body 'Hello.' > report 2> errors || code=$?
took=$((SECONDS - begin))
equal "$code" 69 "exit code ($(cat errors))"
[ $took -lt 20 ] || fail "unreachable exchangers took $took s"
for line in 'bob@one.test: accepted, queued as' 'ann@one.test: accepted, queued as' 'bob@two.test: accepted, queued as' \
    'unknown@two.test: refused at RCPT: 550 5.1.1' 'bob@odd.test: accepted' 'bob@alias.test: accepted' \
    'x@null.test: not sent: .*5.1.10' 'x@lost.test: not sent: .*no such domain' 'x@missing.test: not sent: .*no such domain' \
    'x@elsewhere.invalid: not sent: .*REFUSED'; do
    grep -q "^$line" report || fail "no line '$line' in: $(cat report)"
done
equal "$(wc -l < report)" 10 "lines in the report"
received 2 4
received 3 1
grep -q '^Received: .*ESMTPS' "$TMP"/2/mail/box/new/* || grep -q 'with ESMTPS' "$TMP"/2/mail/box/new/* || fail "not under TLS: $(cat "$TMP"/2/mail/box/new/*)"

# Without a name server the failure is temporary.
code=0
send --dns-server 192.0.2.9 --to bob@one.test --body x --max-time 1 > report 2> errors || code=$?
equal "$code" 75 "without a name server ($(cat errors))"
