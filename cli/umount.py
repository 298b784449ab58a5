"""``holdfast umount``: take files of ours away, whoever looks at them."""

from __future__ import annotations

import os

import click

from ..transport import mountpoint
from ..transport.errors import UsageError


@click.command()
@click.argument("directory", metavar="DIR")
def umount(directory: str) -> None:
    """Take the files in DIR away.

    When it returns they are gone, and so is the process that served them. A daemon that showed them does so no more.
    """
    path = mountpoint.place(directory)
    found = mountpoint.find(path)
    if found is None:
        raise UsageError(f"nothing is mounted at {path}")
    if not found.ours:
        whose = f"user {found.uid}'s" if found.source == mountpoint.SOURCE and found.uid != os.geteuid() else "not ours"
        raise UsageError(f"what is mounted at {path} is {whose} ({found.source}, {found.kind}); it was left as it is")
    mountpoint.unmount(path)
    mountpoint.wait_served_by_nobody(path)
