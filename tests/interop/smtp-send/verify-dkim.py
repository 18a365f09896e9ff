"""Verifies the DKIM signature of a message with dkimpy: verify-dkim.py MESSAGE NAME=RECORD"""

import sys

import dkim

name, record = sys.argv[2].split("=", 1)
with open(sys.argv[1], "rb") as file:
    message = file.read()


def look_up(queried, timeout=5):
    return record.encode() if queried.decode().rstrip(".") == name else None


sys.exit(0 if dkim.verify(message, dnsfunc=look_up, minkey=2048) else 1)
