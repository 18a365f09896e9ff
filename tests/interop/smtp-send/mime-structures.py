"""Existing messages with many MIME structures: nested parts, attached messages, every encoding, every line end.

mime-structures.py make FOLDER               writes 001.eml and so on
mime-structures.py compare FOLDER SAVED [8]  compares the parts with those of SAVED/1.eml and so on; without 8, in seven bits
"""

import base64
import email
import email.policy
import pathlib
import quopri
import random
import sys

NUMBER = 150
TEXTS = [
    "Grüße aus der Ferne\n.\n..Punkt\n",
    "plain words\nand more\n",
    "日本語の文章です。\n" * 20,
    "eine lange Zeile " * 120 + "\n",
    "no line end at its end: ü",
    "\n\nempty lines and blanks \t\nFrom here\n--no boundary\n",
    "",
    "x" * 5000,
]


def leaf(random):
    kind = random.choice(["text", "latin", "binary", "base64", "long base64", "quoted", "untyped", "data"])
    text = random.choice(TEXTS)
    if kind == "text":
        return b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX-Part: 1\n\n" + text.encode()
    if kind == "latin":
        return b"Content-Type: text/plain;\n charset=iso-8859-1\n\n" + text.encode("latin-1", "replace")
    if kind == "untyped":
        return b"\n" + text.encode()
    if kind == "data":
        return b"content-transfer-encoding: 8BIT\nContent-Type: application/json\n\n" + text.encode()
    data = bytes(random.randrange(256) for _ in range(random.choice([0, 1, 100, 5000])))
    if kind == "binary":
        return b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n" + data
    if kind == "base64":
        return b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(data)
    if kind == "long base64":
        return b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n" + base64.b64encode(data) + b"\n"
    encoded = quopri.encodestring(text.encode())
    return b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + encoded


def entity(random, depth):
    shape = random.choice(["leaf", "multipart", "multipart", "message"]) if depth < 4 else "leaf"
    if shape == "leaf":
        return leaf(random)
    if shape == "message":
        return b"Content-Type: message/rfc822\n\nSubject: inner\nMIME-Version: 1.0\n" + entity(random, depth + 1)
    # A boundary can be a prefix of another one.
    boundary = b"b" * random.randrange(1, 4) + b"%d" % random.randrange(10**9)
    parts = [entity(random, depth + 1) for _ in range(random.randrange(1, 4))]
    subtype = random.choice([b"mixed", b"alternative", b"related"])
    head = b"Content-Type: multipart/%s;\n\tboundary=\"%s\"\n\n" % (subtype, boundary)
    if random.random() < 0.5:
        head = b"Content-Transfer-Encoding: 8bit\n" + head
    preamble = random.choice([b"", "Präambel\n".encode()])
    body = b"".join(b"--%s%s\n%s\n" % (boundary, random.choice([b"", b"  "]), part) for part in parts)
    return head + preamble + body + b"--%s--\n" % boundary + random.choice([b"", b"epilogue\n"])


def make(folder):
    folder.mkdir()
    for number in range(1, NUMBER + 1):
        own = random.Random(number)
        head = b"From: me@example.org\nTo: bob@example.com\nSubject: %d\nMIME-Version: 1.0\n" % number
        message = head + entity(own, 0)
        # Binary parts contain bytes that look like line ends, so only other messages get CRLF.
        if b": binary" not in message:
            message = message.replace(b"\n", own.choice([b"\n", b"\r\n"]))
        (folder / f"{number:03}.eml").write_bytes(message)


def lines(data):
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def leaves(data):
    """Type and content of each part; line ends of texts are LF."""
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    found = []
    for part in message.walk():
        if part.is_multipart():
            found.append((part.get_content_type(), None))
            continue
        content = part.get_payload(decode=True)
        is_binary = part.get_content_maintype() not in ("text", "message") and part.get_content_subtype() != "json"
        found.append((part.get_content_type(), content if is_binary else lines(content)))
    return found


def compare(folder, saved, eight_bit):
    for number in range(1, NUMBER + 1):
        before = (folder / f"{number:03}.eml").read_bytes()
        after = (saved / f"{number}.eml").read_bytes()
        if not eight_bit and not after.isascii():
            sys.exit(f"{number}: not in seven bits")
        if max(len(line) for line in after.split(b"\r\n")) > 998 or b"\0" in after:
            sys.exit(f"{number}: a line over 998 bytes, or a NUL")
        expected, actual = leaves(before), leaves(after)
        if not same(expected, actual):
            for one, other in zip(expected, actual):
                if one != other:
                    print(one, other, sep="\n")
            sys.exit(f"{number}: {len(expected)} parts before, {len(actual)} after, or they differ")


def same(expected, actual):
    """Whether parts are equal; the last line of a message gets a line end in transit."""
    if expected and actual and expected[:-1] == actual[:-1] and expected[-1][0] == actual[-1][0]:
        one, other = expected[-1][1], actual[-1][1]
        return one == other or (one is not None and other in (one + b"\n", one + b"\r\n"))
    return expected == actual


folder = pathlib.Path(sys.argv[2])
if sys.argv[1] == "make":
    make(folder)
else:
    compare(folder, pathlib.Path(sys.argv[3]), len(sys.argv) > 4)
