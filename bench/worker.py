"""One client in a process of its own: ``worker.py SYSTEM ADDRESS RESOURCE MODE``, then orders, one a line.

``run START SECONDS PAUSE`` locks and unlocks between two instants of the monotonic clock that all workers share, so
that all are there from the first cycle to the last; ``PAUSE`` is how long each lock is held, in seconds. ``acquire``
and ``release`` do one step and tell when. Each order is answered by a line of JSON. The end of standard input ends it.
"""

from __future__ import annotations

import json
import sys
from time import monotonic, sleep

from systems.everybody import LIBRARIES
from systems.system import Handle

MOST = 20_000  # waits that are told, evenly picked; more do not change a percentile


def run(handle: Handle, start: float, seconds: float, pause: float) -> dict[str, object]:
    """Lock and unlock from ``start`` on; how often it was done in time, and each wait in microseconds."""
    waits, end, cycles = [], start + seconds, 0
    sleep(max(0.0, start - monotonic()))
    while (begin := monotonic()) < end:
        handle.acquire()
        waits.append(round((monotonic() - begin) * 1e6))
        if pause:
            sleep(pause)
        handle.release()
        cycles += monotonic() <= end
    return {"cycles": cycles, "waits": waits[:: 1 + len(waits) // MOST]}


def obey(handle: Handle, order: str, *numbers: str) -> object:
    """Do what one line says."""
    if order == "run":
        return run(handle, *map(float, numbers))
    if order == "acquire":
        handle.acquire()
        return monotonic()
    begin = monotonic()
    handle.release()
    return begin


def main(name: str, address: str, resource: str, mode: str) -> None:
    """Serve one client's standard input to its end."""
    handle = LIBRARIES[name].handle(address, resource, shared=mode == "shared")
    handle.acquire()  # everything that is done once is done now
    handle.release()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(handle, *line.split())), flush=True)
    handle.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
