"""Whoever imports this cannot fork any more, as where there are too many processes."""

from __future__ import annotations

import errno
import os
from typing import NoReturn


def _refuse() -> NoReturn:
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


os.fork = _refuse
