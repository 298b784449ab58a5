"""Thousands of connections that end at random between connect and release: at the end nothing is held, nobody waits.

ZeroMQ delivers messages of a dead peer even after it has reported the disconnect, and descriptors are used again at
once; a grant to such a message would be held by nobody, for ever.
"""

from __future__ import annotations

import os
import random
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.transport.messages import Echo, Granted, Queued, Release, Released, Welcome
from holdfast.transport.wire import encode
from holdfast.transport.zmtp import frame_bytes
from raw import Raw, acquire, find, hello, holder, start_daemon
from support import House

RESOURCES = ("alpha", "beta[3]", "red.green.blue", "/tree/branch", "_S_sequence[2]")
CONNECTIONS = 3000
WORKERS = 8

pytestmark = pytest.mark.slow


def die_before_the_greeting(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(path)
        plain.send(b"\xff\0\0\0\0\0\0\0\0\x7f\3"[: dice.randrange(12)])


def die_after_hello(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.say(hello())


def die_after_welcome(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.say(hello())
        raw.hear()


def die_after_guessing_the_nonce(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.say(hello(), Echo(bytes(16)), acquire(resource, epoch))


def die_in_the_middle_of_a_frame(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.say(hello())
        welcome = raw.hear()
        assert isinstance(welcome, Welcome)
        data = frame_bytes(encode(Echo(welcome.nonce))) + frame_bytes(encode(acquire(resource, epoch)))
        os.write(raw.wire.fileno(), data[: dice.randrange(len(data))])


def die_after_acquire(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.enter(hello(), acquire(resource, epoch))


def die_waiting_or_holding(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.enter(hello(), acquire(resource, epoch))
        assert isinstance(raw.hear(), Granted | Queued)


def die_after_release(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    with Raw(path) as raw:
        raw.enter(hello(), acquire(resource, epoch), Release(epoch, dice.random() < 0.5))


def live(path: str, resource: str, epoch: int, dice: random.Random) -> None:
    """Somebody who does all right must get in, whatever dies around it."""
    with Raw(path) as raw:
        raw.enter(hello(), acquire(resource, epoch))
        answer = raw.hear()
        if isinstance(answer, Queued):
            answer = raw.hear()
        assert isinstance(answer, Granted), answer
        raw.say(Release(epoch, False))
        assert raw.hear() == Released()


PHASES = (
    die_before_the_greeting,
    die_after_hello,
    die_after_welcome,
    die_after_guessing_the_nonce,
    die_in_the_middle_of_a_frame,
    die_after_acquire,
    die_waiting_or_holding,
    die_after_release,
    live,
)


def test_whoever_dies_in_whatever_phase_holds_nothing_and_stops_nobody(house: House) -> None:
    path = start_daemon(house)
    keepers = [holder(path, resource) for resource in RESOURCES]  # a resource with a client does not retire
    places = {resource: find(path, resource) for resource in RESOURCES}
    for raw, _, epoch in keepers:
        raw.say(Release(epoch, False))
        raw.hear()

    def play(seed: int) -> None:
        dice = random.Random(seed)
        resource = dice.choice(RESOURCES)
        dice.choice(PHASES)(*places[resource][:1], resource, places[resource][1], dice)

    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(play, seed) for seed in range(CONNECTIONS)]:
            done.result()
    for resource in RESOURCES:
        whole = resource if resource != "/tree/branch" else "/tree"
        address, epoch = places[resource]
        for _ in range(3):  # as many as the resource has units, elements or slots
            with Raw(address) as raw:
                raw.enter(hello(), acquire(whole, epoch))
                while not isinstance(answer := raw.hear(), Granted):
                    assert isinstance(answer, Queued), answer
    for raw, _, _ in keepers:
        raw.wire.close()


def test_the_incubator_survives_them_too(house: House) -> None:
    path = start_daemon(house)

    def play(seed: int) -> None:
        dice = random.Random(seed)
        phase = dice.choice((die_before_the_greeting, die_after_hello, die_after_welcome, die_after_guessing_the_nonce))
        phase(path, "alpha", 1, dice)
        if dice.random() < 0.2:
            find(path, f"r{dice.randrange(3)}", idle=0.0)

    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(play, seed) for seed in range(500)]:
            done.result()
    raw, _, _ = holder(path, "last")
    raw.wire.close()
