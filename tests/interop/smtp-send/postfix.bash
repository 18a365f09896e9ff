# A Postfix for one case, sourced by the cases: configuration, queue and mailbox in $TMP, on a free port of 127.0.0.1,
# independent of any Postfix of this machine.
#
#   start_postfix [NAME=VALUE...]   starts Postfix with further settings; sets $PORT. With $AT it listens on that ADDRESS:PORT,
#                                   without a wait
#   wait_for_mail NUMBER            waits until the mailbox $MAILBOX has that many messages

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
    self_signed mail.example.com -newkey rsa:2048
    postfix -c "$POSTFIX/etc" start > "$TMP/start.log" 2>&1 || fail "postfix does not start: $(cat "$TMP/start.log")"
    cleanup "postfix -c '$POSTFIX/etc' abort > /dev/null 2>&1"
    [ -n "${AT-}" ] || wait_for_port "$PORT"
}

has_mail() { [ "$(find "$MAILBOX/new" -type f 2> /dev/null | wc -l)" -ge "$1" ]; }

wait_for_mail() { wait_until 10 has_mail "$1" || fail "fewer than $1 messages after 10 s: $(tail -5 "$POSTFIX/log")"; }
