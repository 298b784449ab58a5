"""All clients of one system: ``worker.py SYSTEM ADDRESS CLIENT...``, each client ``DESCRIPTOR:MODE:RESOURCE``.

One Python imports what the system's clients need and then divides itself, before anybody has a connection: sixty-four
clients start in the time of two. Each serves its own socket, order by order, one a line, answered by a line of JSON;
the end of the socket ends it. ``open`` makes its lock and takes it once, so that everything that is done once is done.
``run START SECONDS PAUSE`` locks and unlocks between two instants of the monotonic clock that all clients share, so
that all are there from the first cycle to the last; ``PAUSE`` is how long each lock is held, in seconds. ``acquire``
and ``release`` do one step and tell when; ``take`` does both and tells how many microseconds the first one took.

Who holds a lock writes its number and when it begins to give it back into memory that all clients of a resource share,
which the lock itself protects: so ``run`` knows how often it got the lock from somebody else, and how long that took.
Many cycles may be one client's, who never lets another in.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from struct import Struct
from time import monotonic, sleep

from systems.everybody import LIBRARIES
from systems.system import Handle, System

MOST = 20_000  # waits, and ways, that are told, evenly picked; more do not change a percentile


LAST = Struct("id")  # who had a resource last, and when he began to give it back


class Holder:
    """Who had a resource last, in memory that its clients share; only the one numbered ``me`` asks here."""

    def __init__(self, last: mmap.mmap, me: int) -> None:
        self._last = last
        self._me = me

    def given_back(self) -> float | None:
        """We hold it: when somebody else began to give it back; None: we had it last, or nobody did."""
        who, when = LAST.unpack_from(self._last)
        return None if who in (self._me, 0) else when

    def give_back(self) -> None:
        """Say that we begin to, now."""
        LAST.pack_into(self._last, 0, self._me, monotonic())


def run(handle: Handle, holder: Holder, start: float, seconds: float, pause: float) -> dict[str, object]:
    """Lock and unlock from ``start`` on; how often it was done in time, and in microseconds each wait and each way
    from somebody else's release to us."""
    waits, ways, end, cycles, handed = [], [], start + seconds, 0, 0
    sleep(max(0.0, start - monotonic()))
    while (begin := monotonic()) < end:
        handle.acquire()
        taken = monotonic()
        waits.append(round((taken - begin) * 1e6))
        given_back = holder.given_back()
        if given_back is not None and given_back >= start:  # what was before the window was no hurry
            ways.append(round((taken - given_back) * 1e6))
        if pause:
            sleep(pause)
        holder.give_back()
        handle.release()
        if monotonic() <= end:
            cycles += 1
            handed += given_back is not None
    thinned = {"waits": waits[:: 1 + len(waits) // MOST], "ways": ways[:: 1 + len(ways) // MOST]}
    return {"cycles": cycles, "handed": handed, **thinned}


def obey(handle: Handle, holder: Holder, order: str, *numbers: str) -> object:
    """Do what one line says."""
    if order == "run":
        return run(handle, holder, *map(float, numbers))
    if order == "acquire":
        handle.acquire()
        return monotonic()
    begin = monotonic()
    if order == "take":
        handle.acquire()
        taken = (monotonic() - begin) * 1e6
        handle.release()
        return taken
    handle.release()
    return begin


def opened(system: System, address: str, resource: str, mode: str) -> Handle:
    """A lock that was taken once."""
    handle = system.handle(address, resource, shared=mode == "shared")
    handle.acquire()
    handle.release()
    return handle


def serve(connection: socket.socket, open_one: Callable[[], Handle], holder: Holder) -> None:
    """Be one client, until its socket ends."""
    handle: Handle | None = None
    with connection, connection.makefile() as orders, connection.makefile("w") as answers:
        for line in orders:
            if handle is None:
                handle = open_one()
                answer: object = "open"
            else:
                answer = obey(handle, holder, *line.split())
            print(json.dumps(answer), file=answers, flush=True)
    if handle is not None:
        handle.close()


def main(name: str, address: str, *clients: str) -> None:
    """Make the clients, and wait until all have ended."""
    system = LIBRARIES[name]
    for module in system.modules:
        import_module(module)
    gc.collect()
    gc.freeze()
    places = [client.split(":", 2) for client in clients]
    connections = [socket.socket(fileno=int(descriptor)) for descriptor, _, _ in places]
    last = {resource: mmap.mmap(-1, LAST.size) for _, _, resource in places}
    for number, (connection, (_, mode, resource)) in enumerate(zip(connections, places, strict=True), 1):
        if os.fork() == 0:
            for other in connections:
                if other is not connection:
                    other.close()
            open_one = partial(opened, system, address, resource, mode)
            return serve(connection, open_one, Holder(last[resource], number))
    for connection in connections:
        connection.close()
    for _ in places:
        os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
