# proves: account new finds a Postfix by the SRV records of NSD, checks its certificate, writes an account that works, and refuses a server outside of the domain
# needs: postfix nsd openssl iproute2 python3
. "$HERE/lib.sh"
require nsd postfix ip
. "$HERE/smtp-send/mail_exchangers.bash"
make_hosts
write_zone test << 'END'
_submissions._tcp.one SRV 0 0 0 .
_submission._tcp.one SRV 20 1 26 down.one
_submission._tcp.one SRV 10 1 25 mx.one
mx.one A 192.0.2.2
_submission._tcp.two SRV 0 1 25 mx.one
_submissions._tcp.never SRV 0 0 0 .
END
start_nsd 192.0.2.1@53 test
start_exchanger 2 mx.one.test 'virtual_mailbox_domains = one.test' 'virtual_mailbox_maps = inline:{bob@one.test=box/}'
use_name_server 192.0.2.1
export HOME=$TMP/home
unset XDG_CONFIG_HOME SMTP_SEND_ACCOUNT SMTP_PASSWORD
mkdir -p "$HOME"
config=$HOME/.config/smtp-send/config.toml

new() { on_client "$BIN/smtp-send" account new "$@" > report 2> errors < /dev/null; }
new bob@one.test --full-name 'Bob' --tls-ca ca.pem || fail "exit $?: $(cat errors)"
grep -qx 'server = "mx.one.test:25"' "$config" && grep -qx 'tls = "starttls"' "$config" || fail "$(cat "$config")"
equal "$(stat -c %a "$config")" 600 'mode of the file'
# This Postfix offers no AUTH, so the account is used without a login.
sed -i '/^user/d' "$config"
on_client "$BIN/smtp-send" --to bob@one.test --body x > report 2> errors || fail "exit $?: $(cat errors)"
received 2 1

# refused CODE TEXT ARGUMENT...
refused() {
    local expected=$1 text=$2 code=0
    shift 2
    new "$@" || code=$?
    [ $code = "$expected" ] && grep -qF -- "$text" errors || fail "$*: exit $code: $(cat errors)"
}
before=$(cat "$config")
refused 77 'not in two.test' ann@two.test --tls-ca ca.pem
refused 77 'certificate of mx.one.test:25' ann@one.test --name other
refused 68 'offers no submission server' ann@never.test
refused 68 'no SRV record for submission' ann@elsewhere.test
equal "$(cat "$config")" "$before" 'config.toml after refusals'
new ann@two.test --tls-ca ca.pem --server mx.one.test:25 --name two || fail "confirmed by --server: exit $?: $(cat errors)"
grep -qF '[account.two]' "$config" || fail "$(cat "$config")"
