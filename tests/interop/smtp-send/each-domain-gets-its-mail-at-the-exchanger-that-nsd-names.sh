# proves: without a server mail finds its way by the answers of NSD to two Postfix on hosts of their own, past dead exchangers, and every recipient's fate is told
# needs: postfix nsd openssl iproute2 python3
. "$HERE/lib.sh"
require nsd postfix ip
. "$HERE/smtp-send/domains.bash"
make_hosts
# Nobody is 192.0.2.9.
cat > test.zone << 'END'
$ORIGIN test.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
one MX 10 dead.one
one MX 20 gone.one
one MX 30 mx.one
dead.one A 192.0.2.9
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

to=bob@one.test,bob@two.test,ann@one.test,nobody@two.test,bob@odd.test,bob@alias.test,x@null.test,x@lost.test,x@missing.test,x@elsewhere.invalid
begin=$SECONDS code=0
send --dns-server 192.0.2.1 --to "$to" --subject 'To everybody' --body 'Hello.' > report 2> errors || code=$?
took=$((SECONDS - begin))
equal "$code" 69 "exit code ($(cat errors))"
[ $took -lt 20 ] || fail "dead exchangers took $took s"
for line in 'bob@one.test: accepted, queued as' 'ann@one.test: accepted, queued as' 'bob@two.test: accepted, queued as' \
    'nobody@two.test: refused at RCPT: 550 5.1.1' 'bob@odd.test: accepted' 'bob@alias.test: accepted' \
    'x@null.test: not sent: .*5.1.10' 'x@lost.test: not sent: .*no such domain' 'x@missing.test: not sent: .*no such domain' \
    'x@elsewhere.invalid: not sent: .*REFUSED'; do
    grep -q "^$line" report || fail "no line '$line' in: $(cat report)"
done
equal "$(wc -l < report)" 10 "lines in the report"
arrived 2 4
arrived 3 1
grep -q '^Received: .*ESMTPS' "$TMP"/2/mail/box/new/* || grep -q 'with ESMTPS' "$TMP"/2/mail/box/new/* || fail "not under TLS: $(cat "$TMP"/2/mail/box/new/*)"

# With nobody to ask, it is a failure for now.
code=0
send --dns-server 192.0.2.9 --to bob@one.test --body x --max-time 1 > report 2> errors || code=$?
equal "$code" 75 "without a name server ($(cat errors))"
