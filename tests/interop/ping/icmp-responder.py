"""Answers echo requests on a TUN device by the last two parts of their destination.

icmp-responder.py    makes the device "tun0", answers 10.99.0.0/16 and fd00:99::/64, prints "ready"

10.99.TYPE.CODE and fd00:99::TYPE:CODE (decimal) answer with that ICMP error, from 10.99.255.254 and fd00:99::255:254.
10.99.200.N and fd00:99::200:N reply, N as in the constants below.
"""

import fcntl
import heapq
import os
import select
import socket
import struct
import time

GOOD, TWICE, FIRST_THRICE, LATE, CHANGED, BAD_CHECKSUM, HALF, OTHER_SOURCE, SILENT, LOSES_SECOND, SWAPS, OTHER_IDENTIFIER, \
    OTHER_SEQUENCE, LONGER, DIES, EMPTY = range(1, 17)
LATE_SECONDS = 0.45
SWAP_SECONDS = 0.15
DUPLICATE_SECONDS = 0.05
TTL = 61
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(version, source, target, message, break_checksum=False):
    """An IP packet with an ICMP message whose checksum is filled in."""
    pseudo = b"" if version == 4 else source + target + struct.pack("!II", len(message), 58)
    total = checksum(pseudo + message) ^ (0x5555 if break_checksum else 0)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(message), 58, TTL) + source + target + message
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 1, 0, TTL, 1, 0) + source + target
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + message


def error(version, kind, code, request):
    """An ICMP error that quotes the request: an MTU of 1300, the address of another router or byte 20 as its value."""
    value = struct.pack("!I", 0)
    if version == 4 and kind == 5:
        value = socket.inet_aton("10.99.255.253")
    elif (version == 4 and (kind, code) == (3, 4)) or (version == 6 and kind == 2):
        value = struct.pack("!I", 1300)
    elif version == 4 and kind == 12:
        value = bytes([20, 0, 0, 0])
    return struct.pack("!BBH", kind, code, 0) + value + request[:548]


def replies(version, request):
    """The answers to one echo request, as (delay in seconds, packet)."""
    if version == 4:
        source, target, message = request[12:16], request[16:20], request[(request[0] & 15) * 4 :]
        reply_type, echo_type, router = 0, 8, socket.inet_aton("10.99.255.254")
    else:
        source, target, message = request[8:24], request[24:40], request[40:]
        reply_type, echo_type, router = 129, 128, socket.inet_pton(socket.AF_INET6, "fd00:99::255:254")
    if message[0] != echo_type:
        return
    kind, code = (target[2], target[3]) if version == 4 else (int(target[at : at + 2].hex()) for at in (12, 14))
    identifier, sequence = struct.unpack("!HH", message[4:8])
    payload = message[8:]
    if kind != 200:
        yield 0, packet(version, router, source, error(version, kind, code, request))
        return
    if code == SILENT or (code == LOSES_SECOND and sequence == 2) or (code == DIES and sequence > 1):
        return
    if code == CHANGED and len(payload) > 40:
        payload = payload[:40] + bytes([payload[40] ^ 0xFF]) + payload[41:]
    elif code == HALF:
        payload = payload[: len(payload) // 2]
    elif code == LONGER:
        payload += b"more"
    elif code == EMPTY:
        payload = b""
    elif code == OTHER_IDENTIFIER:
        identifier ^= 0x0101
    elif code == OTHER_SEQUENCE:
        sequence = (sequence + 1000) & 0xFFFF
    replier = router if code == OTHER_SOURCE else target
    reply = packet(version, replier, source, struct.pack("!BBHHH", reply_type, 0, 0, identifier, sequence) + payload,
                   code == BAD_CHECKSUM)
    count = 2 if code == TWICE else 3 if code == FIRST_THRICE and sequence == 1 else 1
    delay = LATE_SECONDS if code == LATE and sequence == 1 else SWAP_SECONDS if code == SWAPS and sequence == 1 else 0
    for number in range(count):
        yield delay + number * DUPLICATE_SECONDS, reply


def main():
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"tun0", IFF_TUN | IFF_NO_PI))
    print("ready", flush=True)
    waiting, number = [], 0
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([device], [], [], timeout)[0]:
            request = os.read(device, 65536)
            for delay, reply in replies(request[0] >> 4, request):
                number += 1
                heapq.heappush(waiting, (time.monotonic() + delay, number, reply))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(device, heapq.heappop(waiting)[2])


main()
