# proves: OpenSMTPD receives messages unchanged, and a refusal is reported with its reply code
# needs: python3 libevent-2.1-7 libdb5.3 libpam0g
# unpacks: opensmtpd
. "$HERE/lib.sh"
. "$HERE/smtp-send/maildir.bash"
PORT=$(free_port)
mkdir -m 777 mail
# Without TLS: OpenSMTPD of Debian 12 fails every handshake with "internal error", also that of openssl s_client.
cat > smtpd.conf <<END
smtp max-message-size "10M"
table known { "bob@example.com" = "mailbox" }
listen on 127.0.0.1 port $PORT hostname open.example.com
action box maildir "$TMP/mail" virtual <known>
match from any for domain "example.com" action box
END
cat > start.sh <<END
for user in opensmtpd opensmtpq mailbox; do useradd -r \$user; done
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
chown mailbox $TMP/mail
exec smtpd -d -f $TMP/smtpd.conf
END
layered opensmtpd bash "$TMP/start.sh" > smtpd.log 2>&1 &
cleanup "end_layered $!"
wait_for_port "$PORT"

printf '.\n..two\nÜber\n' > text
delivers 'a small message'
python3 -c 'for number in range(100000): print(f".line {number}")' > text
delivers 'megabytes'

code=0
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to unknown@example.com,bob@example.com --body x > report 2> errors || code=$?
[ $code -ge 67 ] && [ $code -le 69 ] || fail "refused recipient: exit $code: $(cat errors)"
grep -q '^bob@example.com: accepted' report || fail "$(cat report)"
grep -q '^unknown@example.com: refused at RCPT: 5[0-9][0-9] ' report || fail "$(cat report)"
