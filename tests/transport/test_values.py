"""Texts into values: what is taken, what is refused, and with which words."""

from __future__ import annotations

import contextlib
import math
import signal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.transport import values
from holdfast.transport.errors import InvalidSetting
from holdfast.transport.messages import FOREVER, Mode, Order
from holdfast.transport.values import MILLISECOND, SECOND, Dialect

OURS = Dialect(flom=False, unit=SECOND)
OUR_FILE = Dialect(flom=False, unit=MILLISECOND)
FLOM = Dialect(flom=True, unit=MILLISECOND)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1.5", 1.5), (".5", 0.5), ("200ms", 0.2), ("2m", 120), ("1h", 3600), ("3s", 3), (" 2 M ", 120)],
)
def test_a_duration_is_seconds_unless_it_has_a_unit(text: str, seconds: float) -> None:
    assert values.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["inf", "forever", "Forever", "9" * 10, "9" * 400])
def test_for_ever_is_a_duration_and_so_is_what_nobody_lives_to_see(text: str) -> None:
    assert values.duration(text) == math.inf


def test_a_bare_number_counts_what_the_caller_says_and_a_unit_means_the_same_everywhere() -> None:
    assert values.duration("1500", MILLISECOND) == pytest.approx(1.5)
    assert values.duration("2s", MILLISECOND) == 2


@pytest.mark.parametrize(
    "text", ["", "-", ".", "nan", "1e3", "0x10", "1_000", "1.2.3", "1 2", "ms", "5d", "5mm", "\u0661", "+1"]
)
def test_what_is_no_duration_is_refused_with_examples_of_one(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"is not a duration, such as|is negative"):
        values.duration(text)


def test_a_negative_duration_is_refused_with_the_word_for_no_limit() -> None:
    with pytest.raises(InvalidSetting, match="negative; for no limit say forever"):
        values.duration("-1")


@given(st.text())
@example("smh")
def test_any_text_is_a_duration_that_is_not_negative_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidSetting):
        assert values.duration(text) >= 0


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_its_short_name_in_any_case(mode: Mode) -> None:
    assert values.mode(mode.name) is values.mode(mode.name.lower()) is mode


def test_every_mode_has_a_long_name() -> None:
    long = ["NullLock", "ConcurrentRead", "ConcurrentWrite", "ProtectedRead", "ProtectedWrite", "Exclusive"]
    assert [values.mode(name) for name in long] == list(Mode)


@pytest.mark.parametrize("text", ["", "5", "EXX", "shared", "xEX"])
def test_a_mode_is_taken_exactly_or_refused_with_the_list(text: str) -> None:
    with pytest.raises(InvalidSetting, match="is not a lock mode; it is one of: nl, cr"):
        values.mode(text)


def test_the_queue_orders_have_their_names() -> None:
    assert values.order("fifo") is Order.FIFO
    assert values.order("First-Fit") is Order.FIRST_FIT
    with pytest.raises(InvalidSetting, match="is not a queue order"):
        values.order("lifo")


@pytest.mark.parametrize("text", ["0", "-1"])
def test_a_quantity_below_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="the least is 1"):
        values.quantity(text)


@pytest.mark.parametrize("text", ["", "-", "1.5", "two", "1 2", "²", "--1"])
def test_a_quantity_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="is not a whole number"):
        values.quantity(text)


@pytest.mark.parametrize("text", [str(2**63), "9" * 5000, "-" + "9" * 19])
def test_a_number_that_the_wire_cannot_carry_is_refused_with_the_largest(text: str) -> None:
    assert [values.quantity(str(2**63 - 1)), values.quantity("0" * 20 + "7")] == [2**63 - 1, 7]
    with pytest.raises(InvalidSetting, match="is too large; the largest is 9223372036854775807"):
        values.quantity(text)


@pytest.mark.parametrize("text", ["-1", "256"])
def test_an_exit_code_goes_from_0_to_255(text: str) -> None:
    assert [values.exit_code("0"), values.exit_code("255")] == [0, 255]
    with pytest.raises(InvalidSetting, match="from 0 to 255"):
        values.exit_code(text)


def test_our_answers_are_exact_words() -> None:
    assert [values.boolean(word) for word in ("yes", "True", "ON", "1", "y")] == [True] * 5
    assert [values.boolean(word) for word in ("no", "False", "off", "0", "N")] == [False] * 5
    with pytest.raises(InvalidSetting, match="'maybe' is not an answer"):
        values.boolean("maybe")


def test_flom_knows_yes_and_no_only() -> None:
    assert values.yes_or_no("YES", FLOM)
    assert values.yes_or_no("on", OURS)
    with pytest.raises(InvalidSetting):
        values.yes_or_no("on", FLOM)


def test_flom_drops_a_numbers_sign_and_we_refuse_it() -> None:
    assert [values.count(text, FLOM) for text in ("-3", "0", "2")] == [3, 1, 2]
    with pytest.raises(InvalidSetting):
        values.count("-3", OURS)


def test_a_port_is_at_most_65535() -> None:
    assert values.port("65535", OURS) == 65535
    with pytest.raises(InvalidSetting, match="the highest is 65535"):
        values.port("65536", FLOM)


def test_to_flom_a_negative_number_is_for_ever() -> None:
    assert values.timeout("-1", FLOM) is None
    assert values.seconds("-5", FLOM) == FOREVER
    assert values.seconds("250", FLOM) == pytest.approx(0.25)
    with pytest.raises(InvalidSetting):
        values.seconds("-x", FLOM)


@pytest.mark.parametrize("dialect", [OURS, OUR_FILE])
def test_with_us_for_ever_has_a_word(dialect: Dialect) -> None:
    assert values.timeout("forever", dialect) is None
    assert values.timeout("2s", dialect) == 2
    with pytest.raises(InvalidSetting, match="negative; for no limit say forever"):
        values.seconds("-5", dialect)


@pytest.mark.parametrize("dialect", [FLOM, OURS])
def test_a_resource_may_outlive_everybody(dialect: Dialect) -> None:
    assert values.unsigned_seconds("forever", dialect) == FOREVER


def test_an_idle_time_is_what_it_says() -> None:
    for text, dialect in [("0", OURS), ("1.5", OURS), ("1500", OUR_FILE), ("1500", FLOM)]:
        assert values.unsigned_seconds(text, dialect) == pytest.approx(0 if text == "0" else 1.5)


def test_floms_idle_time_and_discovery_timeout_lose_their_sign() -> None:
    assert values.unsigned_seconds("-500", FLOM) == pytest.approx(0.5)


@pytest.mark.parametrize(("text", "dialect"), [("0", OURS), ("9ms", OURS), ("9", OUR_FILE), ("0", OUR_FILE)])
def test_a_discovery_timeout_in_which_nobody_can_answer_is_refused(text: str, dialect: Dialect) -> None:
    with pytest.raises(InvalidSetting, match="too short for any answer; the least is 10ms"):
        values.discovery_timeout(text, dialect)


def test_a_discovery_timeout_may_be_short_and_may_be_for_ever_and_floms_is_kept_as_it_is() -> None:
    assert values.discovery_timeout("10ms", OURS) == values.discovery_timeout("10", OUR_FILE) == values.MIN_DISCOVERY
    assert values.discovery_timeout("forever", OURS) == FOREVER
    assert values.discovery_timeout("0", FLOM) == 0


def test_signals_have_names_or_numbers() -> None:
    assert values.signals("SIGHUP; 2;;SIGHUP", OURS) == (signal.SIGHUP, signal.SIGINT)
    assert values.signals("", OURS) == ()


@pytest.mark.parametrize("word", ["SIGNOTHING", "0", "32", "hup", "SIGRTMIN"])
def test_flom_drops_a_signal_it_does_not_know_and_we_refuse_it(word: str) -> None:
    assert values.signals(f"{word};15", FLOM) == (15,)
    with pytest.raises(InvalidSetting, match="is not a signal"):
        values.signals(word, OURS)


@pytest.mark.parametrize("word", ["SIGKILL", "SIGSTOP", "9"])
def test_a_signal_that_nobody_can_ignore_is_refused_and_with_flom_regretted_later(word: str) -> None:
    assert values.signals(word, FLOM) != ()
    with pytest.raises(InvalidSetting, match=f"{word} cannot be ignored"):
        values.signals(f"SIGHUP;{word}", OURS)


@pytest.mark.parametrize("text", ["65", "100000", "-1"])
def test_spare_lockers_go_from_0_to_64(text: str) -> None:
    assert [values.pool("0", OURS), values.pool("64", FLOM)] == [0, 64]
    for dialect in (OURS, FLOM):
        with pytest.raises(InvalidSetting, match="from 0 to 64"):
            values.pool(text, dialect)


def test_a_place_is_the_same_for_all_unless_a_command_line_names_it() -> None:
    here = Dialect(flom=False, unit=SECOND, relative=True)
    assert [values.place("/s", OURS), values.place("", OURS), values.place("s", here)] == ["/s", None, "s"]
    with pytest.raises(InvalidSetting, match="begins with /"):
        values.place("s", OURS)
    with pytest.raises(InvalidSetting, match="empty"):
        values.place("", here)


def test_what_is_not_built_is_refused_if_it_is_asked_for_and_left_to_floms_own_words() -> None:
    read = values.not_built(values.yes_or_no, "not yet")
    assert [read("no", OURS), read("yes", FLOM)] == [False, True]
    with pytest.raises(InvalidSetting, match="not yet"):
        read("yes", OURS)


def test_an_empty_text_says_nothing() -> None:
    assert values.text_or_none("", OURS) is None
    assert values.text_or_none("a b", OURS) == "a b"


def test_one_of_a_few_words_and_no_other() -> None:
    read = values.one_of("run", "kill")
    assert read("Kill", OURS) == "kill"
    with pytest.raises(InvalidSetting, match="one of: run, kill"):
        read("stop", OURS)
