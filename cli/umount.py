"""``holdfast umount``: take files of ours away, whoever looks at them."""

from __future__ import annotations

import os

import click

from ..transport import mountpoint
from ..transport.errors import UsageError
from ..transport.phrases import visible


@click.command()
@click.argument("directory", metavar="DIR")
def umount(directory: str) -> None:
    """Take the files in DIR away.

    When it returns they are gone, and so is the process that served them. A daemon that showed them does so no more.
    """
    path = mountpoint.place(directory)
    found = mountpoint.find(path)
    if found is None and not mountpoint.server(path):
        raise UsageError(f"nothing is mounted at {visible(path)}")
    if found is not None:
        _check_ours(found)
        mountpoint.unmount(path)
    mountpoint.wait_served_by_nobody(path)


def _check_ours(found: mountpoint.Mount) -> None:
    if not found.ours:
        whose = f"user {found.uid}'s" if found.source == mountpoint.SOURCE and found.uid != os.geteuid() else "not ours"
        what = f"{whose} ({visible(found.source)}, {found.kind})"
        raise UsageError(f"what is mounted at {visible(found.path)} is {what}; it was left as it is")
