# proves: Exim, which enforces synchronization, receives messages by BDAT and DATA, with and without TLS, unchanged
# needs: openssl python3 libdb5.3 libgnutls-dane0 libidn12 libnsl2 libpcre2-8-0
# unpacks: exim4-daemon-light
. "$HERE/lib.sh"
. "$HERE/smtp-send/maildir.bash"
PORT=$(free_port)
mkdir -m 777 mail spool log
self_signed exim.example.com -newkey rsa:2048
chmod 644 key.pem
cat > exim.conf <<END
primary_hostname = exim.example.com
local_interfaces = 127.0.0.1
daemon_smtp_ports = $PORT
spool_directory = $TMP/spool
log_file_path = $TMP/log/%slog
domainlist local_domains = example.com
acl_smtp_rcpt = rcpt
smtp_enforce_sync = true
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
pipelining_advertise_hosts = *
tls_advertise_hosts = *
tls_certificate = $TMP/cert.pem
tls_privatekey = $TMP/key.pem
message_size_limit = 20M
accept_8bitmime = true
begin acl
rcpt:
  deny message = no such user here
       local_parts = unknown
  accept domains = +local_domains
  deny message = relaying not permitted
begin routers
all:
  driver = accept
  transport = mailbox
begin transports
mailbox:
  driver = appendfile
  directory = $TMP/mail
  maildir_format
  user = Debian-exim
  group = Debian-exim
END
cat > start.sh <<END
useradd -r Debian-exim
mkdir -p /etc/exim4 && cp $TMP/exim.conf /etc/exim4/exim4.conf && chmod 644 /etc/exim4/exim4.conf
chown Debian-exim $TMP/spool $TMP/log $TMP/mail
exec exim4 -bdf
END
layered exim4-daemon-light bash "$TMP/start.sh" > exim.out 2>&1 &
cleanup "end_layered $!"
wait_for_port "$PORT"

printf '.\n..two\nThird line.\n' > text
delivers 'by chunks, over TLS' --tls starttls --tls-ca cert.pem --tls-server-name exim.example.com
grep -q 'STARTTLS' dialogue || fail 'no TLS'
grep -q 'DATA$' dialogue && fail 'DATA was used although CHUNKING is offered'
delivers 'by chunks, in clear text' --tls off
delivers 'by DATA' --tls off --no-chunking
grep -q 'DATA$' dialogue || fail "no DATA: $(cat dialogue)"
python3 -c 'for number in range(150000): print(f".line {number} über")' > text
delivers 'several chunks' --tls off
delivers 'several chunks over TLS' --tls starttls --insecure

code=0
"$BIN/smtp-send" --server "127.0.0.1:$PORT" --tls off --from me@example.org --to unknown@example.com,bob@example.com --body x > report 2> errors || code=$?
[ $code = 69 ] || fail "refused recipient: exit $code: $(cat errors)"
grep -q '^bob@example.com: accepted' report || fail "$(cat report)"
grep -rq 'synchronization error' log && fail "$(cat log/*)"
true
