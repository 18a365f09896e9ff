# proves: attachments arrive through Postfix byte for byte, with their names and types, in messages Python finds without defects
# needs: postfix openssl python3
. "$HERE/lib.sh"
. "$HERE/smtp-send/postfix.bash"
start_postfix

head -c 3000001 /dev/urandom > 'Übersicht "2026".pdf'
printf 'a,b\r\n1,2\n' > table.csv
: > empty.bin
printf 'Grüße\n' | "$BIN/smtp-send" --server "127.0.0.1:$PORT" --from me@example.org --to bob@example.com --subject Files \
    --attach 'Übersicht "2026".pdf' --attach table.csv --attach 'empty.bin;name=a rather long name, so long that it cannot be written on a single line of a header field.bin' \
    > report 2> errors || fail "exit $?: $(cat errors)"
wait_for_mail 1

python3 - "$MAILBOX"/new/* <<'END' || fail 'the message differs'
import email
import email.policy
import sys

policy = email.policy.default.clone(raise_on_defect=True)
with open(sys.argv[1], "rb") as file:
    message = email.message_from_binary_file(file, policy=policy)
if message.get_body().get_content() != "Grüße\n":
    sys.exit(f"the text is {message.get_body().get_content()!r}")
long = "a rather long name, so long that it cannot be written on a single line of a header field.bin"
expected = [
    ('Übersicht "2026".pdf', 'Übersicht "2026".pdf', "application/pdf"),
    ("table.csv", "table.csv", "text/csv"),
    (long, "empty.bin", "application/octet-stream"),
]
parts = list(message.iter_attachments())
if len(parts) != len(expected):
    sys.exit(f"{len(parts)} attachments")
for part, (name, path, media_type) in zip(parts, expected):
    if (part.get_filename(), part.get_content_type()) != (name, media_type):
        sys.exit(f"{part.get_filename()!r} is {part.get_content_type()}")
    with open(path, "rb") as file:
        if part.get_payload(decode=True) != file.read():
            sys.exit(f"{name}: other bytes")
END
