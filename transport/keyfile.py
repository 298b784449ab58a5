"""A configuration file: ``[Group]``, ``Key=value``, ``#`` comments.

The rule: only the syntax is known here, and it is that of GLib's key files, because FLoM's users have such files: keys
and groups are exact, the last of several values wins, blanks around a line say nothing, there are no continued lines
and no comments behind a value. What an editor on Windows puts before the first line (a BOM) is no part of it.

Source: the Desktop Entry Specification and ``g_key_file``; FLoM 1.7.2, its manual.
"""

from __future__ import annotations

import configparser


def read(path: str) -> dict[str, dict[str, str]]:
    """Read the file at ``path`` into group → key → text.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is no such file; says where.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = [line.strip() for line in file]
    parser = configparser.RawConfigParser(
        delimiters=("=",), comment_prefixes=("#",), strict=False, default_section="", empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys are exact
    try:
        parser.read_file(lines, source=path)
    except configparser.MissingSectionHeaderError as error:
        raise ValueError(_why_not(error.lineno, lines, "there is no [Group] above it")) from None
    except configparser.ParsingError as error:
        raise ValueError(
            _why_not(error.errors[0][0], lines, "neither a group, nor Key=value, nor a # comment")
        ) from None
    return {group: dict(parser[group]) for group in parser.sections()}


def _why_not(number: int, lines: list[str], why: str) -> str:
    if lines[number - 1].startswith(";"):
        why = "a comment begins with #, not with ;"
    return f"line {number}: {why}"


def nearest(word: str, words: list[str]) -> str:
    """Say which of ``words`` may have been meant; "" if none looks like it."""
    from difflib import get_close_matches

    lower = {known.lower(): known for known in words}
    close = get_close_matches(word.lower(), list(lower), n=1)
    return f"; did you mean {lower[close[0]]}?" if close else ""
