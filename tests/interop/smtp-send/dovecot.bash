# A Dovecot for one case, sourced by the cases: configuration, sockets and mailboxes in $TMP, independent of any Dovecot of
# this machine. bob and ann have mailboxes and the password "s3cret, with a comma".
#
#   start_dovecot SETTINGS    starts Dovecot with further lines of configuration

start_dovecot() {
    require dovecot
    DOVECOT=$TMP/dovecot
    mkdir -p "$DOVECOT" "$TMP/mail"
    chmod 755 "$DOVECOT"
    chown dovecot "$TMP/mail"
    local name
    for name in bob ann; do
        echo "$name@example.com:{PLAIN}s3cret, with a comma:$(id -u dovecot):$(id -g dovecot)::$TMP/mail/$name::"
    done > "$DOVECOT/users"
    cat > "$DOVECOT/conf" <<END
base_dir = $DOVECOT/run
log_path = $DOVECOT/log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:$TMP/mail/%n
first_valid_uid = 1
default_internal_user = dovecot
auth_mechanisms = plain login cram-md5 scram-sha-256
postmaster_address = postmaster@example.com
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u $DOVECOT/users
}
userdb {
  driver = passwd-file
  args = username_format=%u $DOVECOT/users
}
END
    printf '%s\n' "$1" >> "$DOVECOT/conf"
    dovecot -c "$DOVECOT/conf" -F > "$DOVECOT/out" 2>&1 &
    cleanup "end $!"
}
