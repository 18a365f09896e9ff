# proves: ready messages of many shapes reach a server without 8BITMIME in seven bits and short lines, and Python decodes the same parts as before
# needs: python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/kinds.bash"
python3 "$HERE/smtp-send/many-shapes.py" make shapes
for offer in 8BITMIME ''; do
    # shellcheck disable=SC2086
    keep SIZE $offer
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --eml shapes/*.eml > report 2> errors || fail "exit $?: $(cat errors)"
    [ ! -s errors ] || fail "words on standard error: $(head -3 errors)"
    python3 "$HERE/smtp-send/many-shapes.py" compare shapes kept ${offer:+8} || fail "with '$offer'"
    kill $KEEPER
done
