"""A plan of a daemon, and the words that say so."""

from __future__ import annotations

import pytest

from holdfast.cli.plan import Plan, locker_ports, plan_from_words
from holdfast.transport.errors import InvalidSetting


def test_a_plan_is_read_from_words() -> None:
    assert plan_from_words(["socket=/a=b", "directory=/d", "lifespan=0.5"]) == Plan("/a=b", "/d", 0.5)


def test_every_word_is_read() -> None:
    words = [
        "socket=/s",
        "directory=/d",
        "lifespan=-1",
        "comm=flom",
        "pool=7",
        "log=/l",
        "fresh=yes",
        "ready=4",
        "verbose=yes",
        "mount=/m",
        "tcp=tcp://127.0.0.1:0",
        "lockerports=28100-28199",
        "keepalive=1,2,3",
        "insecure=yes",
        "group=tcp://239.255.0.1:28015",
        f"identity={'7f' * 16}",
    ]
    assert plan_from_words(words) == Plan(
        socket="/s",
        directory="/d",
        lifespan=-1.0,
        comm="flom",
        pool=7,
        log="/l",
        fresh=True,
        ready=4,
        verbose=True,
        term_quiesces=False,
        mount="/m",
        tcp="tcp://127.0.0.1:0",
        locker_ports=(28100, 28199),
        keepalive=(1, 2, 3),
        insecure=True,
        group="tcp://239.255.0.1:28015",
        identity=b"\x7f" * 16,
    )


@pytest.mark.parametrize("text", ["", "28100", "28100-", "-28100", "a-b", "0-5", "65000-65536", "1-1000000", "5:9"])
def test_what_is_no_range_of_ports_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="is not a range of ports"):
        locker_ports(text)


@pytest.mark.parametrize("text", ["28100-28100", "28101-28100"])
def test_a_range_has_room_for_the_registry_and_a_locker(text: str) -> None:
    with pytest.raises(InvalidSetting, match="are too few"):
        locker_ports(text)
    assert locker_ports("28100-28101") == (28100, 28101)
