# proves: SpamAssassin, offline, finds nothing to say about the form of any kind of composed message
# needs: python3 spamassassin
. "$HERE/lib.sh"
. "$HERE/smtp-send/kinds.bash"
require spamassassin
make_files
FORM='MISSING_|MIME_|INVALID_|BASE64|_MIME_|HTML_IMAGE_ONLY|HEADER|ILLEGAL|SUBJ_|UNPARSEABLE|NULL_IN|QP_|BAD_|BLANK_|CHARSET|MSGID|MPART|DATE_|_BROKEN|ENCODED'
for offer in 8BITMIME ''; do
    # shellcheck disable=SC2086
    keep SIZE $offer
    send_every_kind
    # All in one run: starting it takes most of the time.
    for message in kept/*.eml; do
        printf 'From me@example.org Thu Jan  1 00:00:00 1970\n'
        tr -d '\r' < "$message"
        printf '\n'
    done > box
    HOME=$TMP spamassassin -L -t --mbox --cf='required_score 100' < box > judged 2> judged.err || fail "spamassassin: $(tail -3 judged.err)"
    checked=$(grep -c '^Content analysis details:' judged)
    equal "$checked" "$(wc -l < kinds)" 'judged messages'
    # The table at the end of each message: points, rule, description.
    if grep -E '^ *-?[0-9]+\.[0-9]+ +[A-Z0-9_]+ ' judged | awk '{print $2}' | sort | uniq -c | grep -E "$FORM"; then
        fail "with '$offer': rules about the form"
    fi
    kill $KEEPER
done
