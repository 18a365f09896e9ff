# Sourced by cases whose server delivers to the maildir "mail" in $TMP.
#
#   delivers DESCRIPTION OPTION...    sends the file "text" to bob@example.com on $PORT and compares the delivered message; keeps
#                                     the files report and dialogue

has_new_mail() { [[ -n $(ls mail/new 2> /dev/null) ]]; }

delivers() {
    local description=$1
    shift
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --subject 'Grüße' -v "$@" \
        < text > report 2> dialogue || fail "$description: exit $?: $(tail -5 dialogue)"
    grep -q '^bob@example.com: accepted, queued as' report || fail "$description: $(cat report)"
    wait_until 20 has_new_mail || fail "$description: no message in the maildir"
    python3 "$HERE/smtp-send/compare-delivered.py" mail/new/* text 'Subject=Grüße' To=bob@example.com || fail "$description: the message differs"
    rm mail/new/*
}
