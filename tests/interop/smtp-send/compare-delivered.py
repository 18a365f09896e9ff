"""Parses a delivered message with the strict policy of Python and compares it with a text and header fields.

compare-delivered.py MESSAGE TEXT FIELD=VALUE...    exit code 1 if they differ; all line ends are equal
"""

import email
import email.policy
import sys

message_file, text_file, *fields = sys.argv[1:]
policy = email.policy.default.clone(raise_on_defect=True)
with open(message_file, "rb") as file:
    message = email.message_from_binary_file(file, policy=policy)

for field in fields:
    name, value = field.split("=", 1)
    if message[name] != value:
        sys.exit(f"{name}: {message[name]!r} instead of {value!r}")
for name in ("Date", "From", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"):
    if len(message.get_all(name, [])) != 1:
        sys.exit(f"{name}: {message.get_all(name)!r}")
if message["Bcc"] is not None:
    sys.exit("Bcc is in the header")
if message["Date"].datetime.tzinfo is None:
    sys.exit(f"Date without an offset: {message['Date']}")

received = message.get_payload(decode=True).replace(b"\r\n", b"\n")
with open(text_file, "rb") as file:
    sent = file.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
if received.rstrip(b"\n") != sent.rstrip(b"\n"):
    sys.exit(f"the text differs: {len(received)} bytes received, {len(sent)} sent")
