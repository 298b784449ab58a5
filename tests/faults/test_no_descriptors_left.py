"""A process runs out of descriptors: newcomers wait, those who are inside are served, and nothing aborts."""

from __future__ import annotations

import os
import re

import pytest

from holdfast.transport.messages import Granted, Release, Released, Welcome
from raw import Raw, acquire, find, hello, holder
from support import LIMIT, House, wait_line, wait_until

LOW = 192

pytestmark = pytest.mark.slow


def test_a_daemon_with_few_descriptors_serves_more_clients_than_it_has(house: House) -> None:
    words = f'ulimit -n {LOW}; exec "$@"'
    serving = house.popen(["sh", "-c", words, "sh", *house.words("serve")])
    wait_line(serving.stderr, "HFD001I")
    path = f"{house.run_dir}/local/daemon.sock"
    raw, _, epoch = holder(path, "kept")
    address, _ = find(path, "kept")
    inside = [Raw(address) for _ in range(LOW - 80)]
    wait_line(serving.stderr, "HFD031W")
    waiting = []
    for _ in range(60):
        waiting.append(os.fork())
        if waiting[-1] == 0:
            try:
                with Raw(address) as late:
                    late.say(hello())
                    os._exit(0 if isinstance(late.hear(), Welcome) else 1)
            finally:
                os._exit(2)
    raw.say(Release(epoch, False))
    assert raw.hear() == Released()
    raw.say(acquire("kept", epoch))
    assert isinstance(raw.hear(), Granted)
    for one in inside:
        one.wire.close()
    wait_line(serving.stderr, "HFD032I")
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in waiting] == [0] * len(waiting)
    raw.wire.close()
    wait_until(lambda: house.run("stop", "--now").returncode == 0)
    assert serving.wait(20) == 0


@pytest.mark.parametrize("limit", [5, 6, 7])
@pytest.mark.parametrize("hold", ["wrapper", "command", "tree"])
def test_a_command_with_few_descriptors_runs_or_says_why_not(house: House, limit: int, hold: str) -> None:
    assert house.run("run", "-r", "few", "true").returncode == 0
    words = house.words("run", "-r", "few", "--hold", hold, "echo", "ran")
    process = house.popen(["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *words])
    out, said = process.communicate(timeout=LIMIT)
    if out:
        assert (process.returncode, out, said) == (0, "ran\n", "")
    else:
        assert process.returncode == 99
        assert re.fullmatch(r"holdfast: can.*: Too many open files\n", said)
