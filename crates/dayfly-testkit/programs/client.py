"""The client of client.c in Python; see there. Words: count, requests, turns."""

import socket
import struct
import sys
import time

call, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
words = dict((word.split("=") + [""])[:2] for word in sys.argv[4:])
tcp = call in ("connect", "nonblocking", "fastopen")
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM


def open_one(ask=True):
    client = socket.socket(family, kind)
    client.settimeout(10)
    if call == "fastopen":
        client.sendto(b"?\n", socket.MSG_FASTOPEN, (address, port))
    elif call == "sendto":
        client.sendto(b"?\n", (address, port))
    elif call == "sendmsg":
        client.sendmsg([b"?\n"], [], 0, (address, port))
    else:
        # With a time limit, Python connects without blocking and waits itself.
        if call == "connect":
            client.settimeout(None)
        client.connect((address, port))
        if ask:
            client.send(b"?\n")
    return client


def requests(count):
    for _ in range(count):
        client = open_one()
        client.recv(80)
        client.shutdown(socket.SHUT_WR)
        client.recv(80)
        client.close()
    print(count)


def turns(batch):
    reset = struct.pack("ii", 1, 0)
    while sys.stdin.buffer.read(1):
        took = []
        for _ in range(batch):
            begun = time.perf_counter_ns()
            client = open_one(ask=False)
            took.append(time.perf_counter_ns() - begun)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            client.close()
        print(*took, flush=True)


if "turns" in words:
    turns(int(words["turns"]))
elif "requests" in words:
    requests(int(words["requests"]))
else:
    clients = [open_one() for _ in range(int(words.get("count", 1)))]
    for client in clients:
        print(client.recv(80).decode(), end="")
