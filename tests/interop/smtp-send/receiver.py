"""A mail server that keeps each message in a file of its own, beside one with its envelope.

receiver.py PORT FOLDER    N.eml as it came, N.envelope with the sender and the recipients on one line; N counts from 1

Refuses refused@example.com for good and later@example.com for now.
"""

import asyncio
import pathlib
import sys

from aiosmtpd.smtp import SMTP

port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])


class Keep:
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
    keep = Keep()
    factory = lambda: SMTP(keep, hostname="receiver.example.com", enable_SMTPUTF8=True)
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main())
