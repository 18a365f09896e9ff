# proves: with TLSA records in a signed zone of NSD, validated by Unbound, only the certificate that they name is accepted of Postfix (DANE); a policy of MTA-STS demands one of an authority
# needs: postfix nsd unbound ldnsutils openssl iproute2 python3
. "$HERE/lib.sh"
require nsd unbound ldns-signzone ldns-keygen postfix ip
. "$HERE/smtp-send/domains.bash"
make_hosts
start_exchanger 2 mx.good.example 'virtual_mailbox_domains = good.example, anchor.example, plain.test, sts.test' \
    'virtual_mailbox_maps = inline:{bob@good.example=box/, bob@anchor.example=box/, bob@plain.test=box/, bob@sts.test=box/}'
start_exchanger 3 mx.bad.example 'virtual_mailbox_domains = bad.example' 'virtual_mailbox_maps = inline:{bob@bad.example=box/}'
digest() { openssl "$@" -outform der 2> /dev/null | sha256sum | cut -d' ' -f1; }
KEY=$(openssl x509 -in 2/own.pem -noout -pubkey | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)
CA=$(openssl x509 -in ca.pem -outform der | od -An -v -tx1 | tr -d ' \n')
cat > example.zone << END
\$ORIGIN example.
\$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
good MX 10 mx.good
mx.good A 192.0.2.2
_25._tcp.mx.good TLSA 3 1 1 $KEY
anchor MX 10 mx.anchor
mx.anchor CNAME mx.good
_25._tcp.mx.anchor TLSA 3 1 1 $(printf '0%.0s' {1..64})
bad MX 10 mx.bad
mx.bad A 192.0.2.3
_25._tcp.mx.bad TLSA 3 1 1 $KEY
issuer MX 10 mx.issuer
mx.issuer A 192.0.2.3
_25._tcp.mx.issuer TLSA 2 0 0 $CA
END
cat > test.zone << 'END'
$ORIGIN test.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
plain MX 10 mx.plain
sts MX 10 mx.good.example.
mx.plain A 192.0.2.2
_25._tcp.mx.plain TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
END
KEYS=$(ldns-keygen -a ECDSAP256SHA256 -k example)
ldns-signzone -n example.zone "$KEYS" && mv example.zone.signed example.zone
start_nsd 127.0.0.1@5353 example test
cat > unbound.conf << END
server:
  interface: 127.0.0.1
  chroot: ""
  username: ""
  directory: "$TMP"
  pidfile: "$TMP/unbound.pid"
  use-syslog: no
  do-not-query-localhost: no
  trust-anchor-file: "$TMP/$KEYS.ds"
  domain-insecure: test
  local-zone: test. nodefault
  local-zone: example. nodefault
remote-control:
  control-enable: no
stub-zone:
  name: example
  stub-addr: 127.0.0.1@5353
stub-zone:
  name: test
  stub-addr: 127.0.0.1@5353
END
ip netns exec "$SENDER" unbound -d -c unbound.conf > unbound.log 2>&1 &
cleanup "end $!"
for tries in $(seq 200); do
    ip netns exec "$SENDER" bash -c 'exec 3<> /dev/tcp/127.0.0.1/53' 2> /dev/null && break
    sleep 0.05
done
# What `ip netns exec` shows as /etc/resolv.conf: the name server is found as in everyday life.
mkdir -p "/etc/netns/$SENDER"
cleanup rm -r "/etc/netns/$SENDER"
echo 'nameserver 127.0.0.1' > "/etc/netns/$SENDER/resolv.conf"

try() { # CODE ADDRESS WORDS ARGUMENT...
    local code=0 wanted=$1 to=$2 words=$3
    shift 3
    send --to "$to" --body 'Hello.' -v "$@" > report 2> errors || code=$?
    equal "$code" "$wanted" "mail to $to ($(cat errors))"
    grep -q "$words" report errors || fail "mail to $to: no '$words' in: $(cat report errors)"
}

try 0 bob@good.example 'certificate checked'
try 77 bob@bad.example 'not the one that the TLSA records'
# The issuer is named, but the certificate carries another name.
try 77 bob@issuer.example 'it is for mx.bad.example'
# The records of the name behind the alias count (RFC 7672, section 2.2.2).
try 0 bob@anchor.example 'certificate checked'
# What nobody has signed demands nothing.
try 0 bob@plain.test 'certificate not checked'
printf 'version: STSv1\nmode: enforce\nmx: mx.plain.test\nmax_age: 86400\n' > policy
try 77 bob@plain.test 'certificate of mx.plain.test' --mta-sts-policy plain.test=policy --tls-ca ca.pem
sed -i 's/^mx: .*/mx: mx.good.test/' policy
try 77 bob@sts.test 'MTA-STS' --mta-sts-policy policy --tls-ca ca.pem
sed -i 's/^mx: .*/mx: *.good.example/' policy
try 0 bob@sts.test 'certificate checked' --mta-sts-policy policy --tls-ca ca.pem
arrived 2 4
