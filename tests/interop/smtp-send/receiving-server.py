"""A mail server that saves each message and its envelope in files.

receiving-server.py PORT FOLDER    writes N.eml and N.envelope (sender and recipients in one line); N counts from 1

Refuses refused@example.com permanently and later@example.com temporarily.
"""

import asyncio
import pathlib
import sys

from aiosmtpd.smtp import SMTP

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])


class Handler:
    number = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 No such user here"
        if address.startswith("later@"):
            return "451 4.3.0 Come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        self.number += 1
        (folder / f"{self.number}.eml").write_bytes(envelope.original_content)
        line = " ".join([envelope.mail_from or "<>", *envelope.rcpt_tos])
        (folder / f"{self.number}.envelope").write_text(line + "\n")
        return f"250 2.0.0 Ok: queued as KEPT{self.number}"


async def main():
    handler = Handler()
    factory = lambda: SMTP(handler, hostname="receiver.example.com", enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
