# proves: SpamAssassin, offline, applies no rule about the format to composed messages of every kind
# needs: python3 spamassassin
. "$HERE/lib.sh"
. "$HERE/smtp-send/composed.bash"
require spamassassin
make_files
RULES='MISSING_|MIME_|INVALID_|BASE64|_MIME_|HTML_IMAGE_ONLY|HEADER|ILLEGAL|SUBJ_|UNPARSEABLE|NULL_IN|QP_|BAD_|BLANK_|CHARSET|MSGID|MPART|DATE_|_BROKEN|ENCODED'
for offer in 8BITMIME ''; do
    # shellcheck disable=SC2086
    start_saving_server SIZE $offer
    send_every_kind
    # One run for all messages, because the start takes most of the time.
    for message in saved/*.eml; do
        printf 'From me@example.org Thu Jan  1 00:00:00 1970\n'
        tr -d '\r' < "$message"
        printf '\n'
    done > box
    HOME=$TMP spamassassin -L -t --mbox --cf='required_score 100' < box > checked.txt 2> spamassassin.err || fail "spamassassin: $(tail -3 spamassassin.err)"
    checked=$(grep -c '^Content analysis details:' checked.txt)
    equal "$checked" "$(wc -l < kinds)" 'checked messages'
    # The table at the end of each message: points, rule, description.
    if grep -E '^ *-?[0-9]+\.[0-9]+ +[A-Z0-9_]+ ' checked.txt | awk '{print $2}' | sort | uniq -c | grep -E "$RULES"; then
        fail "with '$offer': rules about the format"
    fi
    kill $SAVER
done
