"""A mail server that keeps each message as it came: keep.py PORT FOLDER [KEYWORD...]

The keywords are what it offers in EHLO. Files are called 1.eml, 2.eml and so on; dots are unstuffed, nothing else is changed.
"""

import pathlib
import socketserver
import sys

port, folder, *keywords = sys.argv[1:]


class Conversation(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self):
        self.say("220 keep.example.com ESMTP")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"EHLO":
                lines = ["keep.example.com", *keywords]
                for number, text in enumerate(lines, 1):
                    self.say(f"250{' ' if number == len(lines) else '-'}{text}")
            elif command == b"DATA":
                self.say("354 Go on")
                self.keep()
            elif command == b"QUIT":
                self.say("221 Bye")
                return
            else:
                self.say("250 2.0.0 Ok")

    def keep(self):
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        number = len(list(pathlib.Path(folder).iterdir())) + 1
        (pathlib.Path(folder) / f"{number}.eml").write_bytes(b"".join(lines))
        self.say("250 2.0.0 Ok: queued as KEPT")


socketserver.TCPServer.allow_reuse_address = True
with socketserver.TCPServer(("127.0.0.1", int(port)), Conversation) as server:
    server.serve_forever()
