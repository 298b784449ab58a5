"""The words that people choose among have fixed numbers: they travel."""

from __future__ import annotations

from holdfast.transport.enums import Mode, Order, Standing


def test_the_modes_have_the_numbers_that_flom_shows() -> None:
    assert {mode.name: mode.value for mode in Mode} == {"NL": 0, "CR": 1, "CW": 2, "PR": 3, "PW": 4, "EX": 5}


def test_the_numbers_of_orders_and_standings_never_change() -> None:
    assert {order.name: order.value for order in Order} == {"FIFO": 0, "FIRST_FIT": 1}
    assert {standing.name: standing.value for standing in Standing} == {"HOLDS": 1, "WAITS": 2, "PARKED": 3}
