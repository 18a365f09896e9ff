# A Postfix of its own for one case, sourced by the cases: own configuration, queue and mailbox in $TMP, on a free loopback
# port. It listens for nobody else and touches no Postfix of this machine.
#
#   start_postfix [NAME=VALUE...]   starts it with further settings; sets $PORT. With $AT set it listens at that ADDRESS:PORT,
#                                   which nobody waits for
#   wait_for_mail NUMBER            waits until that many messages are in the mailbox $MAILBOX

start_postfix() {
    PORT=${AT-}
    PORT=${PORT##*:}
    PORT=${PORT:-$(free_port)}
    MAILBOX=$TMP/mail/box
    POSTFIX=$TMP/postfix
    mkdir -p "$POSTFIX/etc" "$POSTFIX/spool" "$POSTFIX/data" "$TMP/mail"
    chmod 755 "$TMP" "$POSTFIX" "$POSTFIX/etc" "$POSTFIX/spool"
    chown postfix "$POSTFIX/data" "$TMP/mail"
    cat > "$POSTFIX/etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $POSTFIX/spool
data_directory = $POSTFIX/data
maillog_file = $POSTFIX/log
maillog_file_prefixes = $POSTFIX
myhostname = mail.example.com
mydestination =
inet_interfaces = $([ -n "${AT-}" ] && echo all || echo 127.0.0.1)
inet_protocols = ipv4
alias_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = $TMP/mail
virtual_mailbox_maps = inline:{bob@example.com=box/, ann@example.com=box/}
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
smtpd_tls_cert_file = $TMP/cert.pem
smtpd_tls_key_file = $TMP/key.pem
smtpd_tls_security_level = may
smtpd_peername_lookup = no
END
    printf '%s\n' "$@" >> "$POSTFIX/etc/main.cf"
    cat > "$POSTFIX/etc/master.cf" <<END
${AT:-127.0.0.1:$PORT} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
virtual   unix - n n - - virtual
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
END
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.example.com -addext subjectAltName=DNS:mail.example.com \
        -addext basicConstraints=critical,CA:FALSE -keyout "$TMP/key.pem" -out "$TMP/cert.pem" 2> "$TMP/openssl.log" ||
        fail "openssl: $(cat "$TMP/openssl.log")"
    postfix -c "$POSTFIX/etc" start > "$TMP/start.log" 2>&1 || fail "postfix does not start: $(cat "$TMP/start.log")"
    cleanup "postfix -c '$POSTFIX/etc' abort > /dev/null 2>&1"
    [ -n "${AT-}" ] || wait_for_port "$PORT"
}

wait_for_mail() {
    local tries
    for tries in $(seq 200); do
        [ "$(find "$MAILBOX/new" -type f 2> /dev/null | wc -l)" -ge "$1" ] && return
        sleep 0.05
    done
    fail "no message after 10 s: $(tail -5 "$POSTFIX/log")"
}
