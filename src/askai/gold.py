"""The gold set: questions with what a right answer is, and where the documents say it.

A JSON Lines file, described in evals/README.md. Evidence is named by quotation, so an item stays
true when the documents are cut into other passages; what no longer holds is refused at load.
"""

import codecs
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from askai.errors import GoldError
from askai.records import GoldItem, GoldQuote

LANGUAGES = ("en", "zh", "fr", "es")
ANSWERABLE_KINDS = (
    "paragraph",
    "bullet",
    "table_cell",
    "table_row",
    "footnote",
    "abstract",
    "list",
    "two_documents",
    "conflict",
)
NEAR_KINDS = ("near_miss", "false_premise", "half_answered")  # what the documents nearly say
UNANSWERABLE_KINDS = (*NEAR_KINDS, "far")
KINDS = ANSWERABLE_KINDS + UNANSWERABLE_KINDS
SPLITS = ("development", "test")
NEEDS = ("any", "all")

_SHOWN = 60  # characters of a value that a message repeats
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # JSON can spell one, UTF-8 cannot


def load_gold(path: Path, *, texts: Mapping[str, str]) -> list[GoldItem]:
    """The items of a gold file, in its order.

    `texts` maps a path relative to the corpus folder to the text of that document. Blank lines are
    passed over. Raises one GoldError that names every bad line: what was found, what was expected.
    """
    items: list[GoldItem] = []
    bad: list[str] = []
    line_of: dict[str, int] = {}
    for number, line in _lines(path):
        record, problems = _parse(line)
        id_ = _id(record)
        if not problems:
            items.append(_item(record))
            problems = [*_contradictions(items[-1]), *_strangers(items[-1], texts)]
        if id_ is not None and line_of.setdefault(id_, number) != number:
            problems.append(f"the id is that of line {line_of[id_]}; expected each id once")
        if problems:
            name = f"line {number}" if id_ is None else f"line {number} ({id_})"
            bad.append(f"  {name}: {'; '.join(problems)}")
    if bad:
        count = "1 bad line" if len(bad) == 1 else f"{len(bad)} bad lines"
        raise GoldError("\n".join([f"{path} has {count}; correct and run again:", *bad]))
    if not items:
        raise GoldError(f"{path} holds no question; expected one JSON object a line")
    return items


def places(quote: GoldQuote, texts: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    """(start, end) of every place where one quote stands; any of them is as good as another."""
    text = texts[quote.path]
    found: list[tuple[int, int]] = []
    start = text.find(quote.quote)
    while start >= 0:
        found.append((start, start + len(quote.quote)))
        start = text.find(quote.quote, start + 1)
    return tuple(found)


def split_of(id_: str) -> Literal["development", "test"]:
    """The half that an id belongs to for good, by its CRC-32. Nothing is tuned on test."""
    return "development" if zlib.crc32(id_.encode()) % 2 == 0 else "test"


def says(text: str, item: GoldItem) -> bool:
    """Whether `text` contains an accepted answer of `item`: all strings of any one entry."""
    said = normalise(text)
    return any(all(normalise(part) in said for part in answer) for answer in item.answers)


def normalise(text: str) -> str:
    """`text` as accepted answers are compared: NFKC, casefolded, white space as single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1; a quote may hold other line separators."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GoldError(
            f"{path} cannot be read ({error.strerror}); expected a gold set in JSON Lines"
        ) from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise GoldError(f"{path} is UTF-16; expected UTF-8: save it as UTF-8")
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if line.strip():
            yield number, line


def _parse(line: bytes) -> tuple[Any, list[str]]:
    """The value of a line, and what is wrong with its form."""
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        found = f"byte {error.start + 1} is 0x{line[error.start]:02x}, which is not UTF-8"
        return None, [f"{found}; expected UTF-8"]
    except json.JSONDecodeError as error:
        return None, [f"not JSON ({error.msg}, column {error.colno}); expected an object"]
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        return None, [f"not JSON that can be read ({error}); expected an object"]
    if not isinstance(record, dict):
        return record, [f"found {_show(record)}; expected an object"]
    return record, list(_ill_formed(record))


def _ill_formed(record: dict[str, Any]) -> Iterator[str]:
    for name, (fits, expected) in _FIELDS.items():
        if name not in record:
            yield f'"{name}" is missing; expected {expected}'
        elif not fits(record[name]):
            yield f'"{name}" is {_show(record[name])}; expected {expected}'
    for name in record:
        if name not in _FIELDS:
            yield f"{_show(name)} is not a field; expected {', '.join(_FIELDS)}"


def _contradictions(item: GoldItem) -> Iterator[str]:
    """Where an item is at odds with itself."""
    if item.unanswerable is None:
        if item.kind in UNANSWERABLE_KINDS:
            yield f'the kind is {item.kind}; expected "unanswerable" to say why'
        if not item.evidence:
            yield 'there is no evidence; expected some, or "unanswerable" to say why'
        if not item.answers:
            yield 'there is no accepted answer; expected some, or "unanswerable" to say why'
    else:
        if item.kind in ANSWERABLE_KINDS:
            expected = " or ".join(UNANSWERABLE_KINDS)
            yield f"unanswerable, and the kind is {item.kind}; expected {expected}"
        if item.evidence:
            yield f"unanswerable, with evidence ({len(item.evidence)}); expected none"
        if item.answers:
            yield f"unanswerable, with accepted answers ({len(item.answers)}); expected none"
        return
    quotes = [normalise(piece.quote) for piece in item.evidence]
    for text in dict.fromkeys(text for answer in item.answers for text in answer):
        if quotes and not any(normalise(text) in quote for quote in quotes):
            yield f"the accepted answer {_show(text)} is in no evidence quote; expected in one"


def _strangers(item: GoldItem, texts: Mapping[str, str]) -> Iterator[str]:
    """The evidence that the corpus does not hold."""
    for piece in item.evidence:
        if piece.path not in texts:
            yield (
                f"the source {_show(piece.path)} is not in the corpus; "
                f"expected one of its {len(texts)} documents"
            )
        elif piece.quote not in texts[piece.path]:
            yield (
                f"the quote {_show(piece.quote)} is not in {piece.path}; "
                "expected its text, character by character"
            )


def _item(record: dict[str, Any]) -> GoldItem:
    evidence = tuple(GoldQuote(piece["source"], piece["quote"]) for piece in record["evidence"])
    answers = tuple((a,) if isinstance(a, str) else tuple(a) for a in record["answers"])
    return GoldItem(**{**record, "answers": answers, "evidence": evidence})


def _id(record: Any) -> str | None:
    found = record.get("id") if isinstance(record, dict) else None
    return found if isinstance(found, str) and _is_text(found) else None


def _show(value: Any) -> str:
    """The beginning of a value as JSON, on one line."""
    if isinstance(value, str):
        shown = json.dumps(value[:_SHOWN], ensure_ascii=False)
        shown = f"{shown[:-1]}…{shown[-1]}" if len(value) > _SHOWN else shown
    else:
        whole = json.dumps(value, ensure_ascii=False)
        shown = f"{whole[:_SHOWN]}…" if len(whole) > _SHOWN else whole
    return shown.encode(errors="backslashreplace").decode()


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not _LONE_SURROGATE.search(value)


def _is_answers(value: Any) -> bool:
    """A text is an accepted answer; so is a list of texts, all of which have to be said."""
    return isinstance(value, list) and all(
        _is_text(answer) or (isinstance(answer, list) and answer and all(map(_is_text, answer)))
        for answer in value
    )


def _is_evidence(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(piece, dict)
        and piece.keys() == {"source", "quote"}
        and all(map(_is_text, piece.values()))
        for piece in value
    )


def _one_of(names: Iterable[str]) -> tuple[Callable[[Any], bool], str]:
    known = list(names)
    return known.__contains__, f"one of {', '.join(known)}"


_TEXT = "text that is not blank"
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": (_is_text, _TEXT),
    "language": _one_of(LANGUAGES),
    "kind": _one_of(KINDS),
    "question": (_is_text, _TEXT),
    "answers": (_is_answers, "a list of texts that are not blank, or of lists of such texts"),
    "evidence": (_is_evidence, 'a list of {"source": text, "quote": text}'),
    "need": _one_of(NEEDS),
    "unanswerable": (lambda value: value is None or _is_text(value), "null or one sentence"),
}
