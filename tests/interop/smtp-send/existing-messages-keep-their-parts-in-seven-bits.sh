# proves: existing messages with many MIME structures are sent to a server without 8BITMIME in seven bits and short lines, with unchanged parts
# needs: python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/composed.bash"
python3 "$HERE/smtp-send/mime-structures.py" make messages
for offer in 8BITMIME ''; do
    # shellcheck disable=SC2086
    start_saving_server SIZE $offer
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --eml messages/*.eml > report 2> errors || fail "exit $?: $(cat errors)"
    [ ! -s errors ] || fail "standard error is not empty: $(head -3 errors)"
    python3 "$HERE/smtp-send/mime-structures.py" compare messages saved ${offer:+8} || fail "with '$offer'"
    kill $SAVER
done
