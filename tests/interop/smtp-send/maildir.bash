# For cases whose server delivers to the maildir "mail" in $TMP; sourced by them. The file "text" is what is sent.
#
#   delivers WHAT OPTION...    sends "text" to bob@example.com on $PORT, waits for it and compares; report and dialogue stay

delivers() {
    local proved=$1 tries
    shift
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --subject 'Grüße' -v "$@" \
        < text > report 2> dialogue || fail "$proved: exit $?: $(tail -5 dialogue)"
    grep -q '^bob@example.com: accepted, queued as' report || fail "$proved: $(cat report)"
    for ((tries = 0; tries < 400; tries++)); do
        [[ -n $(ls mail/new 2> /dev/null) ]] && break
        sleep 0.05
    done
    python3 "$HERE/smtp-send/read-back.py" mail/new/* text 'Subject=Grüße' To=bob@example.com || fail "$proved: the message differs"
    rm mail/new/*
}
