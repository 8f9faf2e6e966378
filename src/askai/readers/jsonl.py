"""JSON Lines: one record a line, each with a title, a text, a date and an address."""

import json
import re
from typing import Any

from askai.errors import ReadError
from askai.language import parts
from askai.readers import Reading
from askai.readers.building import iso_date, one_line
from askai.readers.decoding import decode
from askai.readers.structure import find_marks
from askai.records import Mark

_MOST_CHARACTERS = 100_000_000
_NAMED = 5  # bad lines that a message names
_LINE_END = re.compile(r"\r\n?|\n")
_KEYS = ("title", "text", "date", "url")
# JSON may hold half a character of two; no file and no index can.
_HALF = re.compile(r"[\ud800-\udfff]")


class JsonLinesReader:
    name = "jsonl"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        source, encoding = decode(data)
        records = _records(source)
        pieces: list[str] = []
        marks: list[Mark] = []
        length = 0

        def add(text: str, found: list[Mark]) -> None:
            nonlocal length
            gap = "\n\n" if pieces else ""
            start = length + len(gap)
            marks.extend(
                Mark(m.kind, start + m.start, start + m.end, m.label, m.level, m.continues)
                for m in found
            )
            pieces.append(gap + text)
            length = start + len(text)
            if length > _MOST_CHARACTERS:
                raise ReadError(
                    f"the records hold over {_MOST_CHARACTERS:,} characters; split them"
                )

        for record in records:
            title = one_line(record["title"])
            if title:
                add(title, [Mark("heading", 0, len(title), title, 1)])
            when = one_line(record["date"])
            told = " · ".join(part for part in (iso_date(when) or when, record["url"]) if part)
            if told:
                add(told, [Mark("paragraph", 0, len(told))])
            text = record["text"].strip()
            found = find_marks(text)
            if found:
                # A heading of the text is below the title of its record.
                add(text, [_below(mark) if title else mark for mark in found])
        if not marks:
            raise ReadError("the records hold no text")
        whole = "".join(pieces)
        marks.sort(key=lambda m: (m.start, -m.end))
        spoken = parts(whole, marks)
        return Reading(
            text=whole,
            encoding=encoding,
            marks=tuple(sorted((*marks, *spoken), key=lambda m: (m.start, -m.end))),
            title=next((m.label for m in marks if m.kind == "heading"), None),
            language=spoken[0].label if spoken else None,
            published=iso_date(records[0]["date"]) if len(records) == 1 else None,
            url=records[0]["url"] or None if len(records) == 1 else None,
        )


def _below(mark: Mark) -> Mark:
    if mark.kind != "heading":
        return mark
    return Mark("heading", mark.start, mark.end, mark.label, mark.level + 1)


def _records(source: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(_LINE_END.split(source.replace("\ufeff", "")), 1):
        if not line.strip():
            continue
        try:
            found.append(_record(json.loads(line, parse_constant=_nothing)))
        except ValueError as error:
            bad.append((number, str(error).split(":")[0][:80]))
        except RecursionError:
            bad.append((number, "nests too deep"))
    if bad:
        named = "; ".join(f"line {number}: {reason}" for number, reason in bad[:_NAMED])
        more = f" and {len(bad) - _NAMED:,} more" if len(bad) > _NAMED else ""
        raise ReadError(
            f"{len(bad):,} lines are no records of title, text, date, url: {named}{more}"
        )
    return found


def _nothing(_: str) -> None:
    """What NaN says, which is no JSON and stands for an empty cell in Python's tables."""


def _record(told: Any) -> dict[str, str]:
    """Raises ValueError where the line is no record."""
    if not isinstance(told, dict):
        raise ValueError("no {…}")  # noqa: TRY004  of the file, not of the program
    values: dict[str, str] = {}
    for key in _KEYS:
        value = told.get(key)
        if value is None:
            value = ""
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise ValueError(f"{key} is no text")  # noqa: TRY004
        values[key] = _HALF.sub("\ufffd", str(value)).replace("\ufeff", "")
    if not (values["title"].strip() or values["text"].strip()):
        raise ValueError("neither title nor text")
    values["url"] = one_line(values["url"])
    return values
