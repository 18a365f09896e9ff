# proves: with TLSA records of NSD validated by Unbound (DANE), only the named certificate of Postfix is accepted; an MTA-STS policy demands one of an authority
# needs: postfix nsd unbound ldnsutils openssl iproute2 python3
. "$HERE/lib.sh"
require nsd unbound ldns-signzone ldns-keygen postfix ip
. "$HERE/smtp-send/mail_exchangers.bash"
make_hosts
start_exchanger 2 mx.good.example 'virtual_mailbox_domains = good.example, anchor.example, plain.test, sts.test' \
    'virtual_mailbox_maps = inline:{bob@good.example=box/, bob@anchor.example=box/, bob@plain.test=box/, bob@sts.test=box/}'
start_exchanger 3 mx.bad.example 'virtual_mailbox_domains = bad.example' 'virtual_mailbox_maps = inline:{bob@bad.example=box/}'
digest() { openssl "$@" -outform der 2> /dev/null | sha256sum | cut -d' ' -f1; }
KEY=$(openssl x509 -in 2/own.pem -noout -pubkey | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1)
CA=$(openssl x509 -in ca.pem -outform der | od -An -v -tx1 | tr -d ' \n')
write_zone example << END
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
write_zone test << 'END'
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
on_client unbound -d -c unbound.conf > unbound.log 2>&1 &
cleanup "end $!"
wait_for_client_port 127.0.0.1 53 Unbound unbound.log
use_name_server 127.0.0.1

deliver() { # CODE ADDRESS TEXT ARGUMENT...
    local code=0 expected=$1 to=$2 text=$3
    shift 3
    send --to "$to" --body 'Hello.' -v "$@" > report 2> errors || code=$?
    equal "$code" "$expected" "mail to $to ($(cat errors))"
    grep -q "$text" report errors || fail "mail to $to: no '$text' in: $(cat report errors)"
}

deliver 0 bob@good.example 'certificate checked'
deliver 77 bob@bad.example 'does not match the TLSA records'
# The issuer matches, but the certificate is for another name.
deliver 77 bob@issuer.example 'it is for mx.bad.example'
# For an alias, the TLSA records of the canonical name apply (RFC 7672, section 2.2.2).
deliver 0 bob@anchor.example 'certificate checked'
# Unsigned TLSA records are ignored.
deliver 0 bob@plain.test 'certificate not checked'
printf 'version: STSv1\nmode: enforce\nmx: mx.plain.test\nmax_age: 86400\n' > policy
deliver 77 bob@plain.test 'certificate of mx.plain.test' --mta-sts-policy plain.test=policy --tls-ca ca.pem
sed -i 's/^mx: .*/mx: mx.good.test/' policy
deliver 77 bob@sts.test 'MTA-STS' --mta-sts-policy policy --tls-ca ca.pem
sed -i 's/^mx: .*/mx: *.good.example/' policy
deliver 0 bob@sts.test 'certificate checked' --mta-sts-policy policy --tls-ca ca.pem
received 2 4
