"""A line between two interfaces that takes its time and loses packets: ``DELAY LOSS SEED ONE OTHER``.

For tests, on kernels without netem. What comes in at one interface goes out at the other, DELAY seconds later, unless
the dice say that it is lost. Packets travel with their virtio header, so that a checksum or a segmentation which
the sender left to its card stays left to the receiver's.
"""

from __future__ import annotations

import random
import select
import socket
import sys
import time
from collections import deque

ETH_P_ALL, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 3, 15, 23  # linux/if_ether.h, linux/if_packet.h
SOL_PACKET = 263
LONGEST = 1 << 17


def end(interface: str) -> socket.socket:
    """Our end of the line at an interface: reads what comes in there, and writes what goes out."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    made.bind((interface, ETH_P_ALL))
    made.setblocking(False)
    return made


def forward(delay: float, loss: float, seed: int, one: socket.socket, other: socket.socket) -> None:
    """Forward for ever."""
    dice = random.Random(seed)
    opposite = {one: other, other: one}
    under_way: deque[tuple[float, socket.socket, bytes]] = deque()
    while True:
        patience = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for came in select.select([one, other], [], [], patience)[0]:
            try:
                packet = came.recv(LONGEST)
            except OSError:
                continue  # an interface that goes down says so once
            if dice.random() >= loss:
                under_way.append((time.monotonic() + delay, opposite[came], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, out, packet = under_way.popleft()
            try:
                out.send(packet)
            except OSError:
                continue  # a cable that is pulled out, or a full queue: lost, as on any line


if __name__ == "__main__":
    ends = [end(interface) for interface in sys.argv[4:6]]
    print("forwarding", flush=True)
    forward(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), *ends)
