# proves: the SRV records of NSD lead to a Postfix whose certificate is checked, an account is written that works, and a server outside of the domain is not believed
# needs: postfix nsd openssl iproute2 python3
. "$HERE/lib.sh"
require nsd postfix ip
. "$HERE/smtp-send/domains.bash"
make_hosts
cat > test.zone << 'END'
$ORIGIN test.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
_submissions._tcp.one SRV 0 0 0 .
_submission._tcp.one SRV 20 1 26 dead.one
_submission._tcp.one SRV 10 1 25 mx.one
mx.one A 192.0.2.2
_submission._tcp.two SRV 0 1 25 mx.one
_submissions._tcp.never SRV 0 0 0 .
END
start_nsd 192.0.2.1@53 test
start_exchanger 2 mx.one.test 'virtual_mailbox_domains = one.test' 'virtual_mailbox_maps = inline:{bob@one.test=box/}'
# The names of the other side, for the host of the sender alone.
mkdir -p "/etc/netns/$SENDER"
cleanup "rm -r '/etc/netns/$SENDER'"
echo 'nameserver 192.0.2.1' > "/etc/netns/$SENDER/resolv.conf"
export HOME=$TMP/home
unset XDG_CONFIG_HOME SMTP_SEND_ACCOUNT SMTP_PASSWORD
mkdir -p "$HOME"
config=$HOME/.config/smtp-send/config.toml

new() { ip netns exec "$SENDER" "$BIN/smtp-send" account new "$@" > report 2> errors < /dev/null; }
new bob@one.test --full-name 'Bob' --tls-ca ca.pem || fail "exit $?: $(cat errors)"
grep -qx 'server = "mx.one.test:25"' "$config" && grep -qx 'tls = "starttls"' "$config" || fail "$(cat "$config")"
equal "$(stat -c %a "$config")" 600 'rights of the file'
# This Postfix knows no logins, so the account is used without one.
sed -i '/^user/d' "$config"
ip netns exec "$SENDER" "$BIN/smtp-send" --to bob@one.test --body x > report 2> errors || fail "exit $?: $(cat errors)"
arrived 2 1

# refused CODE WORDS ARGUMENT...
refused() {
    local wanted=$1 words=$2 code=0
    shift 2
    new "$@" || code=$?
    [ $code = "$wanted" ] && grep -qF -- "$words" errors || fail "$*: exit $code: $(cat errors)"
}
before=$(cat "$config")
refused 77 'not in two.test' ann@two.test --tls-ca ca.pem
refused 77 'certificate of mx.one.test:25' ann@one.test --name other
refused 68 'offers no submission' ann@never.test
refused 68 'names no submission server' ann@elsewhere.test
equal "$(cat "$config")" "$before" 'the file after refusals'
new ann@two.test --tls-ca ca.pem --server mx.one.test:25 --name two || fail "confirmed by --server: exit $?: $(cat errors)"
grep -qF '[account.two]' "$config" || fail "$(cat "$config")"
