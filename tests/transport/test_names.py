"""The grammar of resource names: FLoM's regular expressions are the model."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.transport.names import InvalidName, Kind, Name, parse

WORD = "[A-Za-z][A-Za-z0-9]*"
FLOM = {
    Kind.SIMPLE: rf"_RESOURCE|{WORD}",
    Kind.NUMERIC: rf"{WORD}\[[0-9]+\]",
    Kind.SET: rf"{WORD}(\.{WORD})+",
    Kind.HIERARCHICAL: r"(/[^/\\\n\r\0]+)+",
    Kind.SEQUENCE: rf"_[sS]_{WORD}\[[0-9]+\]",
    Kind.TIMESTAMP: r"_t_[%#A-Za-z][%#.:A-Za-z0-9]*\[[0-9]+\]",
}


def kind_in_flom(text: str) -> Kind | None:
    return next((kind for kind, pattern in FLOM.items() if re.fullmatch(pattern, text)), None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("printer1", Name("printer1", Kind.SIMPLE)),
        ("_RESOURCE", Name("_RESOURCE", Kind.SIMPLE, reserved=True)),
        ("a[12]", Name("a[12]", Kind.NUMERIC, 12)),
        ("a[012]", Name("a[012]", Kind.NUMERIC, 12)),
        ("a[0]", Name("a[0]", Kind.NUMERIC, 0)),
        ("a.b.a", Name("a.b.a", Kind.SET, elements=("a", "b", "a"))),
        ("/a/b c/ü", Name("/a/b c/ü", Kind.HIERARCHICAL, path=("a", "b c", "ü"))),
        ("_s_a[3]", Name("_s_a[3]", Kind.SEQUENCE, 3)),
        ("_S_a[3]", Name("_S_a[3]", Kind.SEQUENCE, 3, transactional=True)),
        ("_t_%H:%M.x#f[2]", Name("_t_%H:%M.x#f[2]", Kind.TIMESTAMP, 2, format="%H:%M.x#f")),
    ],
)
def test_a_name_says_what_its_resource_is(text: str, name: Name) -> None:
    assert parse(text) == name


@pytest.mark.parametrize(("text", "locker"), [("/a", "/a"), ("/a/b/c", "/a"), ("a.b", "a.b"), ("a[2]", "a[2]")])
def test_all_paths_below_one_root_have_one_locker(text: str, locker: str) -> None:
    assert parse(text).locker == locker


REFUSED = [
    *("", "a_b", "1a", "a-b", "a[", "a[]", "a[-1]", "a[x]", "a..b", ".a", "a.", "a.b[2]", "/", "/a/", "//a", "/a\\b"),
    *("_S_a", "_x_a[1]", "a[+1]", "a]", "[1]", "a[1]b", "a[²]", "_t_[1]", "_t_.S[1]", "_t_%Y-%m[1]", "_t_1[1]", "_"),
    *("ä", "a\n", "\na", "/a\nb", "a[1]\n", "/a\0", "a[٣]", " a", "_s_[1]", "_s_a.b[1]"),
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_name_is_refused_with_the_name_and_a_grammar(text: str) -> None:
    with pytest.raises(InvalidName) as error:
        parse(text)
    assert repr(text) in str(error.value)
    assert "such as" in str(error.value)
    assert error.value.resource == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("a_b", "'_' is neither a letter"),
        ("1a", "'1a' does not begin with a letter"),
        ("a..b", "a part of it is empty"),
        ("a.b[2]", "a set has no number of units"),
        ("a[-1]", "'-1', not a number"),
        ("_S_a", "does not end with a number in brackets"),
        ("/a/", "it ends with '/'"),
        ("/a//b", "nothing between two '/'"),
        ("/a\\b", "backslash"),
        ("a\nb", "line break"),
        ("_x_a[1]", "only s_, S_ and t_"),
        ("_t_%Y-%m[1]", "'-' may not stand in a format"),
    ],
)
def test_the_sentence_says_what_is_wrong_with_this_very_name(text: str, words: str) -> None:
    with pytest.raises(InvalidName, match=re.escape(words)):
        parse(text)


@pytest.mark.parametrize("text", ["a" * 241, "/" + "ü" * 120, "a[" + "1" * 5000 + "]"])
def test_a_name_of_more_than_240_bytes_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="longer than 240 bytes"):
        parse(text)


def test_a_name_of_240_bytes_is_none_too_long() -> None:
    assert parse("/" + "ü" * 119 + "a").path


@given(st.text("aB1_[]./\\%#:-sStT\n²", max_size=9) | st.sampled_from(REFUSED))
def test_it_is_floms_grammar(text: str) -> None:
    expected = kind_in_flom(text)
    try:
        assert parse(text).kind is expected
    except InvalidName:
        assert expected is None


@pytest.mark.parametrize("kind", FLOM)
@given(st.data())
def test_whatever_the_grammar_makes_is_of_its_kind(kind: Kind, data: st.DataObject) -> None:
    text = data.draw(
        st.from_regex(re.compile(FLOM[kind]), fullmatch=True).filter(lambda made: len(made.encode()) < 200)
    )
    assert parse(text).kind is kind
