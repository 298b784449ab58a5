"""A cron job, a batch job and a login shell of one user exclude each other: they find the same daemon.

In a mount namespace of its own, so that ``/tmp`` is empty and the user's own daemon is not met.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from support import ROOT, House

pytestmark = pytest.mark.slow

STORY = """
set -eu
mount -t tmpfs none /tmp
login="env -i HOME=/root PATH=$PATH XDG_RUNTIME_DIR=/run/user/0 TMPDIR=/var/tmp LANG=C.UTF-8 PYTHONPATH=$2"
cron="env -i PATH=/usr/bin:/bin PYTHONPATH=$2"
cd /
mkfifo /tmp/go
$login "$1" -m holdfast run -r printer -- sh -c 'echo held; cat /tmp/go' > /tmp/held &
until grep -q held /tmp/held; do :; done
code=0
$cron "$1" -m holdfast run -n -r printer -- true < /dev/null || code=$?
echo "while it is held: $code"
echo > /tmp/go
wait $!
$cron "$1" -m holdfast run -n -r printer -- true < /dev/null
echo "afterwards: $?"
$cron "$1" -m holdfast stop --now
ls -d /tmp/holdfast-*
"""


def test_a_cron_job_and_a_login_shell_of_one_user_exclude_each_other(house: House) -> None:
    unshare = [str(shutil.which("unshare")), "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to make a mount namespace (root)")
    telling = house.popen([*unshare, "sh", "-c", STORY, "sh", sys.executable, f"{ROOT}/.path"])
    out, err = telling.communicate(timeout=60)
    assert out.splitlines()[:2] == ["while it is held: 98", "afterwards: 0"], err
    assert out.splitlines()[2].startswith("/tmp/holdfast-"), err
