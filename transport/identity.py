"""Who asks: what ``Hello`` tells about this process, and the sessions that it runs inside.

The rule: what cannot be found out is left empty, and nothing here can fail but for what the user gave. A session id is
a secret that lets its knower share a lock; it passes to commands in ``HOLDFAST_SESSION``, outermost first.
"""

from __future__ import annotations

import os
import sys

from .errors import UsageError
from .messages import MINOR, Hello
from .wire import ID_SIZE, MAX_TEXT, MAX_TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SESSION = "HOLDFAST_SESSION"
JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "OAR_JOB_ID", "FLUX_JOB_ID", "CONDOR_JOB_ID")
LONGEST_COMMAND = 256  # bytes


def hello(
    session: bytes,
    environ: Mapping[str, str],
    *,
    reason: str = "",
    nest: bool = True,
    command: Sequence[str] | None = None,
    command_lines: str = "full",
) -> Hello:
    """This process as it introduces itself.

    Args:
        session: 16 random bytes.
        command: the words that people shall see; None: this process's own.
        command_lines: "full", "name" (the first word alone) or "none".

    Raises:
        UsageError: the reason is no text, or too long.
    """
    if not isinstance(reason, str):
        raise UsageError(f"a reason is a str, not {reason!r}")
    if len(reason.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise UsageError(f"the reason is longer than {MAX_TEXT} bytes")
    words = list(sys.orig_argv if command is None else command)
    shown = {"full": words, "name": words[:1], "none": []}[command_lines]
    uid = os.geteuid()
    return Hello(
        minor=MINOR,
        session=session,
        host=os.uname().nodename,
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
        pid=os.getpid(),
        pid_started=_pid_started(),
        uid=uid,
        user=user(uid),
        command=_cut(" ".join(shown)),
        job=_cut(job(environ)),
        reason=reason,
        inside=inherited(environ) if nest else (),
    )


def job(environ: Mapping[str, str]) -> str:
    """The id of the batch job that this process belongs to; "" if none."""
    return next((environ[name] for name in JOBS if environ.get(name)), "")


def inherited(environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The sessions that this process runs inside, outermost first; what is no session id is passed over.

    Of more than a message can carry the innermost are taken.
    """
    found = []
    for word in environ.get(SESSION, "").split(":"):
        try:
            session = bytes.fromhex(word)
        except ValueError:
            continue
        if len(session) == ID_SIZE:
            found.append(session)
    return tuple(found[-MAX_TUPLE:])


def handed_down(environ: Mapping[str, str], session: bytes) -> str:
    """The value of ``HOLDFAST_SESSION`` for a command that runs inside ``session``."""
    return ":".join(one.hex() for one in (*inherited(environ), session))


def user(uid: int) -> str:
    """The name of a user, "" if it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().rstrip("\n")
    except OSError:
        return ""


def _pid_started() -> int:
    """Clock ticks since boot: field 22 of /proc/self/stat, the twentieth behind the name (which may have blanks)."""
    fields = _first_line("/proc/self/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def _cut(text: str) -> str:
    text = text[:LONGEST_COMMAND]
    while len(text.encode("utf-8", "surrogatepass")) > LONGEST_COMMAND:
        text = text[:-1]
    return text
