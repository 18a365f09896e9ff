"""A mail server over TLS from the first byte whose logins are checked by scramp, over the TLS of OpenSSL.

    bound-logins.py PORT MODE     MODE: exporter (TLS 1.3), end-point (TLS 1.2), stripped (the offer to bind is taken out of
                                  the reply to EHLO), relayed (the server sees another connection than the client)
"""

import base64
import hashlib
import socket
import sys

from OpenSSL import SSL, crypto
from scramp import ScramMechanism
from scramp.core import CbName, ScramException

# It knows no way to get the secret of this binding; here the TLS library has one.
CbName.SUPPORTED_TYPES, CbName.UNSUPPORTED_TYPES = CbName.SUPPORTED_TYPES | {"tls-exporter"}, frozenset()

port, mode = int(sys.argv[1]), sys.argv[2]
context = SSL.Context(SSL.TLS_SERVER_METHOD)
context.use_certificate_file("cert.pem")
context.use_privatekey_file("key.pem")
version = SSL.TLS1_2_VERSION if mode == "end-point" else SSL.TLS1_3_VERSION
context.set_min_proto_version(version)
context.set_max_proto_version(version)
certificate = crypto.dump_certificate(crypto.FILETYPE_ASN1, crypto.load_certificate(crypto.FILETYPE_PEM, open("cert.pem").read()))
plain = ScramMechanism("SCRAM-SHA-256")
known = plain.make_auth_info("pencil", iteration_count=4096)


def binding(connection):
    if mode == "end-point":
        return "tls-server-end-point", hashlib.sha256(certificate).digest()
    if mode == "relayed":
        return "tls-exporter", bytes(32)
    return "tls-exporter", connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")


def log_in(connection, line, hear, say):
    mechanism, first = line.split(" ")[1:3]
    server = ScramMechanism(mechanism).make_server(lambda user: known, channel_binding=binding(connection))
    final = None
    try:
        server.set_client_first(base64.b64decode(first).decode())
        say("334 " + base64.b64encode(server.get_server_first().encode()).decode())
        server.set_client_final(base64.b64decode(hear()).decode())
        final = server.get_server_final()
    except ScramException as error:
        print("refused:", error, flush=True)
        reason = error.server_error.value if error.server_error else "other-error"
        say("334 " + base64.b64encode(b"e=" + reason.encode()).decode())
        hear()
        return say("535 5.7.8 No")
    say("334 " + base64.b64encode(final.encode()).decode())
    hear()
    print("welcome by", mechanism, flush=True)
    say("235 2.7.0 Welcome")


def hold(connection):
    lines = connection_lines(connection)
    say = lambda text: connection.sendall(text.encode() + b"\r\n")
    hear = lambda: next(lines)
    say("220 mail.example.com ESMTP")
    for line in lines:
        verb = line.split(" ")[0].upper()
        if verb == "EHLO":
            say("250-mail.example.com")
            say("250 AUTH SCRAM-SHA-256" + ("" if mode == "stripped" else " SCRAM-SHA-256-PLUS"))
        elif verb == "AUTH":
            log_in(connection, line, hear, say)
        elif verb == "QUIT":
            return say("221 Bye")
        else:
            say("502 No")


def connection_lines(connection):
    held = b""
    while True:
        while b"\r\n" in held:
            line, held = held.split(b"\r\n", 1)
            yield line.decode()
        try:
            held += connection.recv(4096)
        except SSL.Error:
            return


listener = socket.create_server(("127.0.0.1", port))
while True:
    client, _ = listener.accept()
    client.settimeout(None)
    connection = SSL.Connection(context, client)
    connection.set_accept_state()
    try:
        connection.do_handshake()
        hold(connection)
        connection.shutdown()
    except (SSL.Error, StopIteration, OSError) as error:
        print("ended:", repr(error), flush=True)
    client.close()
