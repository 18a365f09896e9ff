# proves: Postfix delivers messages with every kind of text unchanged
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
start_postfix

# Sends the file "text" and compares the message in the mailbox.
delivers() {
    local description=$1
    shift
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from 'Jörg Müller <me@example.org>' --to '"Bob, Jr." <bob@example.com>' \
        --subject 'Grüße: a test of everything' "$@" < text > report 2> errors || fail "$description: exit $?: $(cat errors)"
    [ -s errors ] && fail "$description: standard error is not empty: $(cat errors)"
    grep -q '^bob@example.com: accepted, queued as [0-9A-Za-z]* (250 2.0.0 Ok: .*queued as' report || fail "report: $(cat report)"
    wait_for_mail 1
    python3 "$HERE/smtp-send/compare-delivered.py" "$MAILBOX"/new/* text 'Subject=Grüße: a test of everything' \
        'From=Jörg Müller <me@example.org>' 'To="Bob, Jr." <bob@example.com>' || fail "$description: the message differs"
    rm "$MAILBOX"/new/*
}

printf 'Hello.\nSecond line.\n' > text
delivers 'plain text'
delivers 'in clear text' --tls off
delivers 'with TLS, without certificate check' --tls starttls --insecure
printf '.\n..\n.dot\nFrom here\n.\n' > text
delivers 'dots at the start of lines'
printf 'Grüße aus Köln\r\nmit Umlauten\rund drei Arten von Zeilenenden\n' > text
delivers 'other scripts and line ends'
python3 -c 'print("x" * 5000 + "\nüber " + "lange Zeilen " * 500)' > text
delivers 'lines that are too long'
python3 -c 'print("日本語" * 3000)' > text
delivers 'mostly not ASCII'
: > text
delivers 'an empty text'
python3 -c 'for number in range(200000): print(f".line {number}")' > text
delivers 'megabytes'
