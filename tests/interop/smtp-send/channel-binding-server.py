"""A mail server with implicit TLS of OpenSSL; scramp verifies logins with channel binding.

    channel-binding-server.py PORT MODE     MODE: exporter (TLS 1.3), end-point (TLS 1.2), stripped (the reply to EHLO does not
                                            offer -PLUS), relayed (channel binding of another connection)
"""

import base64
import hashlib
import socket
import sys

from OpenSSL import SSL, crypto
from scramp import ScramMechanism
from scramp.core import CbName, ScramException

# scramp marks tls-exporter as unsupported; pyOpenSSL exports the keying material.
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
stored = plain.make_auth_info("pencil", iteration_count=4096)


def binding(connection):
    if mode == "end-point":
        return "tls-server-end-point", hashlib.sha256(certificate).digest()
    if mode == "relayed":
        return "tls-exporter", bytes(32)
    return "tls-exporter", connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")


def log_in(connection, line, read, reply):
    mechanism, first = line.split(" ")[1:3]
    server = ScramMechanism(mechanism).make_server(lambda user: stored, channel_binding=binding(connection))
    final = None
    try:
        server.set_client_first(base64.b64decode(first).decode())
        reply("334 " + base64.b64encode(server.get_server_first().encode()).decode())
        server.set_client_final(base64.b64decode(read()).decode())
        final = server.get_server_final()
    except ScramException as error:
        print("refused:", error, flush=True)
        reason = error.server_error.value if error.server_error else "other-error"
        reply("334 " + base64.b64encode(b"e=" + reason.encode()).decode())
        read()
        return reply("535 5.7.8 No")
    reply("334 " + base64.b64encode(final.encode()).decode())
    read()
    print("login by", mechanism, flush=True)
    reply("235 2.7.0 Ok")


def run_session(connection):
    lines = connection_lines(connection)
    reply = lambda text: connection.sendall(text.encode() + b"\r\n")
    read = lambda: next(lines)
    reply("220 mail.example.com ESMTP")
    for line in lines:
        verb = line.split(" ")[0].upper()
        if verb == "EHLO":
            reply("250-mail.example.com")
            reply("250 AUTH SCRAM-SHA-256" + ("" if mode == "stripped" else " SCRAM-SHA-256-PLUS"))
        elif verb == "AUTH":
            log_in(connection, line, read, reply)
        elif verb == "QUIT":
            return reply("221 Bye")
        else:
            reply("502 No")


def connection_lines(connection):
    buffer = b""
    while True:
        while b"\r\n" in buffer:
            line, buffer = buffer.split(b"\r\n", 1)
            yield line.decode()
        try:
            buffer += connection.recv(4096)
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
        run_session(connection)
        connection.shutdown()
    except (SSL.Error, StopIteration, OSError) as error:
        print("ended:", repr(error), flush=True)
    client.close()
