"""A cron job, a batch job and a login shell of one user exclude each other: they find the same daemon.

As a user of a namespace of its own, whom nobody else is, so that the daemon of whoever runs the tests is not met.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import LIMIT, ROOT, House

pytestmark = pytest.mark.slow

STORY = """
set -eu
login="env -i HOME=/root PATH=$PATH XDG_RUNTIME_DIR=/run/user/0 TMPDIR=/var/tmp LANG=C.UTF-8 PYTHONPATH=$2"
cron="env -i PATH=/usr/bin:/bin PYTHONPATH=$2"
cd /
mkfifo "$3/held" "$3/go"
$login "$1" -m holdfast run -r printer -- sh -c "echo held > $3/held; cat $3/go > /dev/null" < /dev/null &
cat "$3/held"
code=0
$cron "$1" -m holdfast run -n -r printer -- true < /dev/null || code=$?
echo "while it is held: $code"
echo > "$3/go"
wait $!
$cron "$1" -m holdfast run -n -r printer -- true < /dev/null
echo "afterwards: $?"
$cron "$1" -m holdfast stop --now
"""


def test_a_cron_job_and_a_login_shell_of_one_user_exclude_each_other(house: House) -> None:
    uid = 1_000_000 + os.getpid()
    unshare = [str(shutil.which("unshare")), "--user", f"--map-user={uid}"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to make a user namespace")
    place = Path(f"/tmp/holdfast-{uid}")
    telling = house.popen([*unshare, "sh", "-c", STORY, "sh", sys.executable, f"{ROOT}/.path", str(house.path)])
    try:
        out, err = telling.communicate(timeout=LIMIT)
        assert place.is_dir(), err
    finally:
        shutil.rmtree(place, ignore_errors=True)
    assert out.splitlines() == ["held", "while it is held: 98", "afterwards: 0"], err
