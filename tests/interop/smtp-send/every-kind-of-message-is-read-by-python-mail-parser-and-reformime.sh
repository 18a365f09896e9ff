# proves: Python's strict policy, mail-parser and reformime find no defect in any kind of composed message, and the same texts and files
# needs: python3 maildrop
# needs-pip: mail-parser
. "$HERE/lib.sh"
. "$HERE/smtp-send/kinds.bash"
require reformime
make_files
for offer in 8BITMIME ''; do
    # shellcheck disable=SC2086
    keep SIZE $offer
    send_every_kind
    python3 "$HERE/smtp-send/read-every-kind.py" ${offer:+8} || fail "with '$offer'"
    for message in kept/*.eml; do
        reformime -s 1 < "$message" > /dev/null || fail "reformime does not read $message"
    done
    everything=kept/$(wc -l < kinds).eml
    reformime < "$everything" | tr '\n' ' ' > tree
    equal "$(cat tree)" '1 1.1 1.1.1 1.1.2 1.1.2.1 1.1.2.2 1.2 ' 'the parts that reformime sees'
    reformime -s 1.2 -e < "$everything" | cmp - table.csv || fail 'reformime decodes another file'
    kill $KEEPER
done
