"""A hundred clients come and go; whenever they hold still, all views say what they themselves know."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import holdfast
from holdfast.transport.names import parse
from holdfast.transport.settings import Settings
from support import LIMIT, House, wait_until

CLIENTS = 100
SECONDS = 30.0
RESOURCES = ("printer", "pool[8]", "red.green.blue", "/disk", "/disk/home", "_s_ticket[2]", "_t_%H%M%S#fff[3]")
View = set[tuple[str, str, str]]  # (client, what its locker serves, what it does there)

pytestmark = pytest.mark.slow


class Crowd:
    """Threads that lock and unlock at random, and hold still when told to."""

    def __init__(self, house: House) -> None:
        self._settings = Settings(run_dir=str(house.run_dir), lifespan=-1.0)
        self._go = threading.Event()
        self._over = False
        self._clients = [threading.Thread(target=self._live, args=(number,)) for number in range(CLIENTS)]
        self.faults: list[BaseException] = []

    def _live(self, number: int) -> None:
        chance = random.Random(number)
        try:
            while not self._over:
                resource = chance.choice(RESOURCES)
                mode = chance.choice((holdfast.Mode.EX, holdfast.Mode.PR))
                quantity = chance.randint(1, 8) if resource == "pool[8]" else 1
                lock = holdfast.Lock(
                    resource, mode, quantity=quantity, reason=f"client {number}", settings=self._settings
                )
                for _ in range(chance.randint(1, 5)):
                    self._go.wait()
                    with lock:
                        self._go.wait()
                lock.close()
        except BaseException as error:
            self.faults.append(error)

    def own_view(self) -> View:
        names = {thread.ident: f"client {number}" for number, thread in enumerate(self._clients)}
        return {(names[one.thread], parse(one.resource).locker, one.state) for one in holdfast.inflight()}

    @contextmanager
    def holding_still(self) -> Iterator[None]:
        """Nobody goes on; who waits in line does so until somebody goes on."""
        self._go.clear()
        yield
        assert not self.faults
        self._go.set()

    def __enter__(self) -> Crowd:
        self._go.set()
        for thread in self._clients:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._go.set()
        for thread in self._clients:
            thread.join(LIMIT)
        assert not self.faults


def status_view(house: House) -> View:
    told = json.loads(house.run("status", "--json").stdout)
    return {
        (claim["reason"], resource["name"], state)
        for resource in told["resources"]
        for place, state in (("holders", "held"), ("waiters", "waiting"))
        for claim in resource[place]
    }


def files_view(mount: Path) -> View:
    return {
        ((client / "reason").read_text().strip(), parse((locker / "resource_name").read_text().strip()).locker, state)
        for locker in mount.glob("status/lockers/*")
        for place, state in (("holders", "held"), ("waitings", "waiting"))
        for client in (locker / place).iterdir()
    }


def all_agree(own: View, house: House, mount: Path) -> bool:
    try:
        return own == status_view(house) == files_view(mount)
    except FileNotFoundError:  # somebody left while we looked
        return False


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no /dev/fuse here: the file system cannot be mounted")
def test_nothing_is_stale_and_nothing_is_missing(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    chance = random.Random(17)
    with House() as house:
        daemon = house.spawn("serve", "--mount", str(mount))
        wait_until(lambda: (mount / "status").exists(), "the mount")
        with Crowd(house) as crowd:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                time.sleep(chance.uniform(0.1, 2.0))  # a random moment: not a wait for anything
                with crowd.holding_still():
                    wait_until(lambda: all_agree(crowd.own_view(), house, mount), "all views say the same")
        wait_until(lambda: status_view(house) == files_view(mount) == set(), "nobody is left")
        assert daemon.poll() is None
