# proves: aiosmtpd receives messages with every kind of text unchanged
# needs: python3
# needs-pip: aiosmtpd
. "$HERE/lib.sh"
PORT=$(free_port)
cat > server.py <<'END'
import asyncio
import sys
from aiosmtpd.smtp import SMTP

class Handler:
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[2], "wb") as file:
            file.write(envelope.original_content)
        with open(sys.argv[2] + ".envelope", "w") as file:
            file.write(" ".join([envelope.mail_from, *envelope.rcpt_tos]))
        return "250 2.0.0 Ok: queued as KEPT"

async def main():
    loop = asyncio.get_running_loop()
    factory = lambda: SMTP(Handler(), hostname="aio.example.com")
    server = await loop.create_server(factory, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
END
python3 server.py "$PORT" received 2> server.log &
cleanup "kill $! 2> /dev/null"
wait_for_port "$PORT"

delivers() {
    rm -f received
    "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --bcc ann@example.com \
        --subject 'Grüße' < text > report 2> errors || fail "$1: exit $?: $(cat errors) $(tail -3 server.log)"
    [ "$(grep -c 'accepted, queued as KEPT' report)" = 2 ] || fail "$1: $(cat report)"
    [ "$(cat received.envelope)" = 'me@example.org bob@example.com ann@example.com' ] || fail "$1: $(cat received.envelope)"
    python3 "$HERE/smtp-send/compare-delivered.py" received text 'Subject=Grüße' 'To=bob@example.com' || fail "$1: the message differs"
}

printf 'Hello.\n' > text
delivers 'plain text'
printf '.\n..two\n.' > text
delivers 'dots'
printf 'Grüße\n' > text
delivers 'other scripts'
python3 -c 'print("z" * 100000)' > text
delivers 'a line that is too long'
