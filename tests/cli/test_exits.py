"""The exit codes: every error has one, and it is the one that the manual promises."""

from __future__ import annotations

import pytest

from holdfast.cli import exits
from holdfast.transport import errors
from holdfast.transport.errors import HoldfastError

PROMISED = {
    "InvalidName": 99,
    "InvalidSetting": 99,
    "Busy": 98,
    "TimedOut": 98,
    "Impossible": 99,
    "NoSuchResource": 96,
    "Deadlock": 99,
    "LockLost": 99,
    "LockerDied": 99,
    "LocalProtocolError": 99,
    "RemoteProtocolError": 99,
    "InternalError": 99,
}


def leaves(kind: type[HoldfastError] = HoldfastError) -> list[type[HoldfastError]]:
    below = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [leaf for child in below for leaf in leaves(child)] if below else [kind]


def test_every_leaf_of_the_error_tree_has_its_promised_code() -> None:
    assert {leaf.__name__: exits.exit_code(leaf()) for leaf in leaves()} == PROMISED


@pytest.mark.parametrize("kind", [HoldfastError, errors.UsageError, errors.Unreachable, errors.NotGranted])
def test_what_is_no_leaf_counts_as_our_failure(kind: type[HoldfastError]) -> None:
    assert exits.exit_code(kind()) == 99


def test_a_kind_of_error_from_elsewhere_counts_as_its_parent() -> None:
    class BusyTonight(errors.Busy):
        pass

    assert exits.exit_code(BusyTonight()) == 98


def test_a_missing_command_and_a_signal_have_their_numbers() -> None:
    assert exits.COMMAND_MISSING == 97
    assert exits.exit_code_from_signal(15) == 143
