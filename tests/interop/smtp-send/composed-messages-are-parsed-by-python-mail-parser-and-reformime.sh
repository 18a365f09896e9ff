# proves: Python's strict policy, mail-parser and reformime find no defect in composed messages of every kind, and the original texts and files
# needs: python3 maildrop
# needs-pip: mail-parser
. "$HERE/lib.sh"
. "$HERE/smtp-send/composed.bash"
require reformime
make_files
for offer in 8BITMIME ''; do
    # shellcheck disable=SC2086
    start_saving_server SIZE $offer
    send_every_kind
    python3 "$HERE/smtp-send/compare-composed.py" ${offer:+8} || fail "with '$offer'"
    for message in saved/*.eml; do
        reformime -s 1 < "$message" > /dev/null || fail "reformime cannot parse $message"
    done
    last=saved/$(wc -l < kinds).eml
    reformime < "$last" | tr '\n' ' ' > tree
    equal "$(cat tree)" '1 1.1 1.1.1 1.1.2 1.1.2.1 1.1.2.2 1.2 ' 'parts found by reformime'
    reformime -s 1.2 -e < "$last" | cmp - table.csv || fail 'the file decoded by reformime differs'
    kill $SAVER
done
