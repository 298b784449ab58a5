"""What is said of a process that is not where its daemon says."""

from __future__ import annotations

import errno
import socket

import pytest

from holdfast.transport.absent import absent
from holdfast.transport.errors import Unreachable
from holdfast.transport.peers import Peer, Unanswered
from holdfast.transport.zmtp import Closed

PEER = Peer(socket.AF_INET, ("192.0.2.1", 28101))
ASKS = "; is that port forwarded (--locker-ports)?"


@pytest.mark.parametrize(
    ("met", "told"),
    [
        (ConnectionRefusedError(), "x is served at tcp://192.0.2.1:28101, where nobody listens"),
        (Closed("ended"), "x is served at tcp://192.0.2.1:28101, where every connection ends at once"),
        (
            OSError(errno.EHOSTUNREACH, "No route to host"),
            "x is served at tcp://192.0.2.1:28101, which cannot be reached: No route to host",
        ),
        (
            Unanswered("it has not answered for 5s"),
            "x is served at tcp://192.0.2.1:28101, which cannot be reached: it has not answered for 5s",
        ),
    ],
)
def test_on_the_network_it_is_asked_whether_its_port_is_forwarded(met: OSError, told: str) -> None:
    assert absent("x is served", PEER, met) == told + ASKS


@pytest.mark.parametrize("met", [FileNotFoundError(), ConnectionRefusedError()])
def test_on_this_machine_no_port_is_asked_for(met: OSError) -> None:
    assert absent("x is served", "/run/locker-1.sock", met) == "x is served at /run/locker-1.sock, where nobody listens"


@pytest.mark.parametrize("place", [PEER, "/run/locker-1.sock"])
def test_who_is_there_and_refuses_us_has_said_why(place: str | Peer) -> None:
    assert absent("x is served", place, Unreachable("does not admit the key")) == "does not admit the key"


def test_before_a_place_was_named_what_was_met_is_all() -> None:
    assert absent("x is served", None, Closed("the daemon lets nobody in")) == "the daemon lets nobody in"
