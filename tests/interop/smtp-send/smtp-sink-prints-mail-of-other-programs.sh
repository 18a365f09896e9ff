# proves: smtp-sink receives mail from swaks and Python's smtplib, prints envelope and message, and exits with 0 on an interrupt
# needs: swaks python3
. "$HERE/lib.sh"
PORT=$(free_port)
"$BIN/smtp-sink" --port "$PORT" > printed &
SINK=$!
cleanup "kill $SINK 2> /dev/null"
wait_for_port "$PORT"

swaks --server "127.0.0.1:$PORT" --helo client.example.com --from ann@example.org --to bob@example.com --body 'From swaks.' \
    > swaks.log 2>&1 || fail "swaks: $(tail -3 swaks.log)"
python3 - "$PORT" <<'END' || fail smtplib
import smtplib
import sys

with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example.com") as server:
    server.sendmail("cid@example.org", ["dan@example.com", "eve@example.com"], "Subject: Hi\r\n\r\n.From smtplib \x1b[2J\r\n")
END
kill -INT $SINK
wait $SINK || fail "exit $?"

for line in 'RCPT TO:<bob@example.com>' '| From swaks.' 'RCPT TO:<dan@example.com>' 'RCPT TO:<eve@example.com>' '| .From smtplib \x1b[2J'; do
    grep -qxF -e "$line" printed || fail "'$line' is not in: $(cat printed)"
done
