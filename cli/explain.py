"""``holdfast run --explain``: would the lock be granted now, and why not?

The rule: it answers for the command line as it stands, and takes nothing. What would be refused for good is the same
error, with the same exit code, as without ``--explain``.
"""

from __future__ import annotations

import os

from ..transport import asked
from ..transport.discover import check_startable
from ..transport.errors import NoSuchResource
from ..transport.inquiry import Finding, inquire
from ..transport.phrases import visible
from ..transport.settings import Settings
from .exits import CONFLICT
from .words import show


def tell_whether_free(settings: Settings) -> int:
    """Say it on standard output.

    Returns:
        The exit code: 0 if the lock would be granted now, else 98, or what stands for it.

    Raises:
        HoldfastError: nobody can say, or it would be refused for good.
    """
    assert settings.name
    _, ask = asked.locate(
        *(settings.name, settings.mode, settings.quantity),
        nest=settings.nest,
        create=settings.create,
        idle=settings.idle,
        order=settings.order,
    )
    granted, sentence = verdict(settings, inquire(settings, os.environ, ask))
    show(visible(sentence))
    if granted:
        return 0
    return CONFLICT if settings.conflict_exit_code is None else settings.conflict_exit_code


def verdict(settings: Settings, found: Finding | None) -> tuple[bool, str]:
    """Whether the lock would be granted now, and what is said of it.

    Args:
        found: None if no daemon is running.

    Raises:
        NoSuchResource: it does not exist, is not to be created, and is not to be waited for.
        Unreachable: no daemon is running, and none may be started.
    """
    name = settings.name
    if found is None:
        check_startable(settings)
    if found is not None and (found.exists or not found.why.granted):
        return found.why.granted, _answer(str(name), found)
    if settings.create:
        return True, (
            "no daemon is running: it would be started, and the lock granted"
            if found is None
            else f"{name} would be granted now: it does not exist yet, and would be created"
        )
    if settings.timeout == 0:
        raise NoSuchResource(f"{name} does not exist, and you asked neither to create it nor to wait for it")
    return False, f"not now: {name} does not exist, and would be waited for until somebody creates it"


def _answer(name: str, found: Finding) -> str:
    if found.why.granted:
        return f"{name} would be granted now"
    if not found.why.position:  # not for this request, whoever goes
        return f"no: {found.why.sentence}"
    return f"not now: {found.why.sentence}; you would have position {found.why.position} in line"
