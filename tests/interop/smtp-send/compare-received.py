"""Parses a message that receiving-server.py saved and compares it with a text and header fields.

compare-received.py MESSAGE TEXT FIELD=VALUE...    exit code 1 if they differ; CRLF and LF are equal
"""

import email
import email.policy
import sys

message_file, text_file, *fields = sys.argv[1:]
with open(message_file, "rb") as file:
    raw = file.read()
message = email.message_from_bytes(raw, policy=email.policy.default)

if b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""):
    sys.exit("a bare CR or LF")
for name in ("Date", "From", "Message-ID"):
    if len(message.get_all(name, [])) != 1:
        sys.exit(f"{name}: {message.get_all(name)!r}")
for name in ("Bcc", "Resent-Bcc"):
    if message[name] is not None:
        sys.exit(f"{name} is in the header")
for field in fields:
    name, value = field.split("=", 1)
    if message[name] != value:
        sys.exit(f"{name}: {message[name]!r} instead of {value!r}")

body = message.get_body(("plain",)) if message.is_multipart() else message
received = body.get_payload(decode=True).replace(b"\r\n", b"\n")
with open(text_file, "rb") as file:
    sent = file.read()
if received.rstrip(b"\n") != sent.rstrip(b"\n"):
    sys.exit(f"the text differs: {received!r} instead of {sent!r}")
