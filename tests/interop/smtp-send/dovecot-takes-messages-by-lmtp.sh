# proves: Dovecot takes messages by LMTP over TCP and over a unix socket, byte for byte, and answers for each recipient
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
    local proved=$1 code=0
    shift
    "$BIN/smtp-send" --from me@example.org --to bob@example.com,nobody@example.com,ann@example.com --subject 'Grüße' "$@" \
        < text > report 2> errors || code=$?
    [ $code = 67 ] || fail "$proved: exit $code: $(cat errors report dovecot/log)"
    grep -q '^bob@example.com: accepted' report || fail "$proved: $(cat report)"
    grep -q '^ann@example.com: accepted' report || fail "$proved: $(cat report)"
    grep -q '^nobody@example.com: refused at RCPT: 550 5.1.1 ' report || fail "$proved: $(cat report)"
    for user in bob ann; do
        python3 "$HERE/smtp-send/read-back.py" mail/$user/new/* text 'Subject=Grüße' || fail "$proved: the message differs"
        rm mail/$user/new/*
    done
}

printf '.\n..two\nÜber\n' > text
delivers 'over TCP' --lmtp --server "127.0.0.1:$PORT"
delivers 'over a unix socket' --server "lmtp:$TMP/lmtp"
python3 -c 'for number in range(100000): print(f".line {number}")' > text
delivers 'megabytes over a unix socket' --server "lmtp:$TMP/lmtp"
