# proves: Dovecot receives messages by LMTP over TCP and a Unix socket unchanged, and replies for each recipient
# needs: dovecot-core dovecot-lmtpd python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/dovecot.bash"
PORT=$(free_port)
start_dovecot "protocols = lmtp
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = $PORT
  }
  unix_listener $TMP/lmtp {
    mode = 0666
  }
}"
wait_for_port "$PORT"

delivers() {
    local description=$1 code=0
    shift
    "$BIN/smtp-send" --from me@example.org --to bob@example.com,unknown@example.com,ann@example.com --subject 'Grüße' "$@" \
        < text > report 2> errors || code=$?
    [ $code = 67 ] || fail "$description: exit $code: $(cat errors report dovecot/log)"
    grep -q '^bob@example.com: accepted' report || fail "$description: $(cat report)"
    grep -q '^ann@example.com: accepted' report || fail "$description: $(cat report)"
    grep -q '^unknown@example.com: refused at RCPT: 550 5.1.1 ' report || fail "$description: $(cat report)"
    for user in bob ann; do
        python3 "$HERE/smtp-send/compare-delivered.py" mail/$user/new/* text 'Subject=Grüße' || fail "$description: the message differs"
        rm mail/$user/new/*
    done
}

printf '.\n..two\nÜber\n' > text
delivers 'over TCP' --lmtp --server "127.0.0.1:$PORT"
delivers 'over a Unix socket' --server "lmtp:$TMP/lmtp"
python3 -c 'for number in range(100000): print(f".line {number}")' > text
delivers 'megabytes over a Unix socket' --server "lmtp:$TMP/lmtp"
