"""A mail server that saves each message: saving-server.py PORT FOLDER [KEYWORD...]

It offers the keywords in EHLO. Files are 1.eml, 2.eml and so on, without dot-stuffing and otherwise unchanged.
"""

import pathlib
import socketserver
import sys

port, folder, *keywords = sys.argv[1:]


class Session(socketserver.StreamRequestHandler):
    def reply(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.reply("220 saving.example.com ESMTP")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"EHLO":
                lines = ["saving.example.com", *keywords]
                for number, text in enumerate(lines, 1):
                    self.reply(f"250{' ' if number == len(lines) else '-'}{text}")
            elif command == b"DATA":
                self.reply("354 Go ahead")
                self.save()
            elif command == b"QUIT":
                self.reply("221 Bye")
                return
            else:
                self.reply("250 2.0.0 Ok")

    def save(self):
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        number = len(list(pathlib.Path(folder).iterdir())) + 1
        (pathlib.Path(folder) / f"{number}.eml").write_bytes(b"".join(lines))
        self.reply("250 2.0.0 Ok: queued as KEPT")


socketserver.TCPServer.allow_reuse_address = True
with socketserver.TCPServer(("127.0.0.1", int(port)), Session) as server:
    server.serve_forever()
