"""Compares the messages of send_every_kind (composed.bash) in the folder saved; exit code 1 for differences and defects.

compare-composed.py [8]    with 8, bytes over 127 are allowed
"""

import email
import email.policy
import pathlib
import sys

import mailparser

LONG = "a rather long name, so long that it cannot be written on a single line of a header field.csv"
SUBJECT = "Grüße: ein Betreff, der so lang ist, dass er nicht auf eine einzige Zeile passt"
POLICY = email.policy.default.clone(raise_on_defect=True)


def lines(data):
    """Bytes with all line ends as CRLF."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def file(name):
    return pathlib.Path(name).read_bytes()


def leaves(message):
    return [part for part in message.walk() if not part.is_multipart()]


def demand(actual, expected, description):
    if actual != expected:
        sys.exit(f"{description}: {actual!r} instead of {expected!r}")


def check(kind, data):
    message = email.message_from_bytes(data, policy=POLICY)
    for part in message.walk():
        demand(part.defects, [], f"{kind}: defects")
    demand(message["Subject"], SUBJECT, f"{kind}: Subject")
    demand(message["From"], "Jörg Müller <me@example.org>", f"{kind}: From")
    demand(message["To"], '"Bob, Jr." <bob@example.com>', f"{kind}: To")
    demand(message["Bcc"], None, f"{kind}: Bcc")
    demand(message["List-Unsubscribe"], "<mailto:leave@example.org>", f"{kind}: List-Unsubscribe")
    longest = max(len(line) for line in data.split(b"\r\n"))
    demand(longest <= 998, True, f"{kind}: a line of {longest} bytes")
    demand(b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""), False, f"{kind}: bare CR or LF")
    demand(len(sys.argv) > 1 or data.isascii(), True, f"{kind}: seven bits")
    bodies = [part.get_payload(decode=True) for part in leaves(message)]
    types = [part.get_content_type() for part in leaves(message)]
    check_parts(kind, message, types, bodies)
    check_by_mail_parser(kind, data)


def check_parts(kind, message, types, bodies):
    texts = {"plain": "plain.txt", "German": "german.txt", "Japanese": "japanese.txt", "a long line": "long.txt"}
    if kind in texts:
        demand(bodies, [lines(file(texts[kind]))], kind)
    elif kind == "an empty text":
        demand(b"".join(bodies).strip(), b"", kind)
    elif kind == "attachments":
        demand(types, ["text/plain", "application/pdf", "text/csv"], kind)
        demand(bodies, [lines(file("german.txt")), file('Übersicht "2026".pdf'), file("table.csv")], kind)
        names = [part.get_filename() for part in message.iter_attachments()]
        demand(names, ['Übersicht "2026".pdf', LONG], kind)
    elif kind == "HTML":
        demand(bodies[1], lines(file("news.html")), kind)
        plain = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
        demand(plain, "Grüße\n\nHello Bob, see our site <https://example.com/?a=1&b=2>.\n", kind)
    elif kind == "HTML with a text":
        demand(bodies, [lines(file("news.txt")), lines(file("news.html"))], kind)
    else:
        html = next(part for part in leaves(message) if part.get_content_type() == "text/html")
        picture = next(part for part in leaves(message) if part.get_content_type() == "image/png")
        identifier = picture["Content-ID"].strip("<>")
        shown = html.get_payload(decode=True).replace(b"cid:" + identifier.encode(), b"cid:the%20logo.png")
        demand(shown, lines(file("pictures.html")), kind)
        demand(picture.get_payload(decode=True), file("the logo.png"), kind)
        demand((picture.get_filename(), picture.get_content_disposition()), ("the logo.png", "inline"), kind)
        demand(message.get_body(("related", "html")).get_content_type(), "multipart/related", kind)


def check_by_mail_parser(kind, data):
    mail = mailparser.parse_from_bytes(data)
    demand(list(mail.defects), [], f"{kind}: defects by mail-parser")
    demand(mail.subject, SUBJECT, f"{kind}: Subject by mail-parser")
    demand(mail.to, [("Bob, Jr.", "bob@example.com")], f"{kind}: To by mail-parser")
    if kind == "attachments":
        demand([one["filename"] for one in mail.attachments], ['Übersicht "2026".pdf', LONG], f"{kind} by mail-parser")


kinds = pathlib.Path("kinds").read_text().splitlines()
for number, kind in enumerate(kinds, 1):
    check(kind, file(f"saved/{number}.eml"))
