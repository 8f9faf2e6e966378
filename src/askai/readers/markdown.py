"""Markdown (CommonMark with tables), quoted as it is written."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from askai.language import parts
from askai.readers import Reading
from askai.readers.building import iso_date, language_code
from askai.readers.decoding import decode
from askai.readers.structure import Block, by_its_look, finish, is_note
from askai.records import MarkKind

# A UTF-8 mark, and the settings that many sites keep above the text.
_FRONT = re.compile(
    r"\A\ufeff?(?:---[ \t]*(?:\r\n?|\n)(?=[\w-]+:).*?(?:\r\n?|\n)---[ \t]*(?=[\r\n]|\Z))?",
    re.DOTALL,
)
_FRONT_CHARACTERS = 100_000
# What PyYAML raises; a value that its tag (`!!bool x`) does not fit gives the last five.
_NO_YAML = (
    yaml.YAMLError,
    RecursionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
_FRONT_KEYS = {
    "title": ("title",),
    "author": ("author", "authors", "creator"),
    "published": ("date", "published", "pubdate", "publishdate", "created"),
    "language": ("language", "lang", "locale"),
    "url": ("url", "canonical", "canonical_url", "source", "link", "permalink"),
}
_LEAVES: dict[str, MarkKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "fence": "paragraph",
    "code_block": "paragraph",
    "html_block": "paragraph",
    "hr": "paragraph",
}


class MarkdownReader:
    name = "markdown"
    version = "2"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        text, encoding = decode(data)
        marks = finish(text, _blocks(text))
        spoken = parts(text, marks)
        front = front_matter(text)
        return Reading(
            text=text,
            encoding=encoding,
            marks=tuple(sorted((*marks, *spoken), key=lambda m: (m.start, -m.end))),
            title=front.get("title") or next((m.label for m in marks if m.kind == "heading"), None),
            language=language_code(front.get("language")) or (spoken[0].label if spoken else None),
            author=front.get("author"),
            published=iso_date(front.get("published")),
            url=front.get("url") if "://" in front.get("url", "") else None,
        )


def front_matter(text: str) -> dict[str, str]:
    """What the settings above the text say of it: title, author, published, language, url.

    Settings that are not YAML are read line by line, as `key: value`.
    """
    found = _FRONT.match(text)
    block = found[0].lstrip("\ufeff") if found else ""
    if not block.strip() or len(block) > _FRONT_CHARACTERS:
        return {}
    lines = block.splitlines()[1:-1]
    try:
        plain = _plain_values(_Loader("\n".join(lines)).get_single_data())
    except _NO_YAML:
        pairs = (line.partition(":") for line in lines if line[:1].strip())
        plain = _plain_values({key: value.strip().strip("\"'") for key, _, value in pairs})
    return {
        name: value
        for name, keys in _FRONT_KEYS.items()
        if (value := next((plain[key] for key in keys if plain.get(key)), ""))
    }


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML where a name stands for one value only: else a few lines of names are a billion values,
    or a list that holds itself."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if is_alias and not isinstance(node, yaml.ScalarNode):
            raise yaml.YAMLError("a name of more than one value")
        return node


def _plain_values(told: object) -> dict[str, str]:
    """Raises TypeError where there are no settings, ValueError where a number is too long."""
    if not isinstance(told, dict):
        raise TypeError
    return {str(key).strip().lower(): _plain_value(value) for key, value in told.items()}


def _plain_value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(part for part in map(_plain_value, value[:20]) if part)
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, date):
        return value.isoformat()
    known = isinstance(value, str | int | float) and not isinstance(value, bool)
    return " ".join(str(value).split()) if known else ""


def _blocks(text: str) -> list[Block]:
    """One block for each leaf of the parse, and for the lines that the parser keeps to itself."""
    starts = _line_starts(text)
    blocks: list[Block] = []
    at = 0  # the first line that no block holds yet
    # The parser reads \r\n and \r as \n, line for line, so its line numbers are ours.
    for begin, end, kind, label, level, is_words in _leaves(
        MarkdownIt("commonmark").enable("table").disable("inline").parse(_FRONT.sub(_blanked, text))
    ):
        if begin < at:
            continue
        blocks += _plain(text, starts, at, begin)
        if is_words and is_note(text[starts[begin] : starts[begin + 1]]):
            blocks += _notes(text, starts, begin, end)
            at = end
            continue
        block = _cut(text, starts, begin, end)
        if block is not None:
            shaped = Block(block.start, block.end, block.text, kind=kind, label=label, level=level)
            blocks.append(by_its_look(shaped) if is_words else shaped)
        at = end
    blocks += _plain(text, starts, at, len(starts) - 1)
    return [
        # "Table 2 shows that …"
        replace(block, kind="paragraph", label="")
        if block.kind == "table_title" and (after is None or after.kind != "table_header")
        else block
        for block, after in zip(blocks, [*blocks[1:], None], strict=True)
    ]


def _blanked(match: re.Match[str]) -> str:
    return "\n" * len(re.findall(r"\r\n?|\n", match[0]))


def _notes(text: str, starts: list[int], begin: int, end: int) -> Iterator[Block]:
    """Notes on lines that follow each other, which the parser takes for one paragraph."""
    first = begin
    for line in range(begin + 1, end + 1):
        if line == end or is_note(text[starts[line] : starts[line + 1]]):
            block = _cut(text, starts, first, line)
            if block is not None:
                yield by_its_look(block)
            first = line


class _Leaf(NamedTuple):
    begin: int  # its first line
    end: int  # the line after its last
    kind: MarkKind
    label: str = ""
    level: int = 0
    is_words: bool = False  # neither code nor a rule, which may look like anything


def _leaves(tokens: list[Token]) -> Iterator[_Leaf]:
    """In order."""
    items: list[int] = []  # end lines of the open list items
    tables = rows = 0
    for token, following in pairwise([*tokens, Token("end", "", 0)]):
        if token.type == "list_item_open" and token.map:
            items.append(token.map[1])
        elif token.type == "list_item_close":
            items.pop()
        elif token.type == "table_open":
            tables, rows = tables + 1, 0
        elif token.type == "tr_open" and token.map:
            kind: MarkKind = "table_row" if rows else "table_header"
            label = f"Table ~{tables}" + (f", row {rows}" if rows else "")
            end = token.map[1] if rows else token.map[0] + 2  # with the line of dashes
            yield _Leaf(token.map[0], end, kind, label)
            rows += 1
        elif token.type in _LEAVES and token.map:
            kind = _LEAVES[token.type]
            label = " ".join(following.content.split()) if kind == "heading" else ""
            level = int(token.tag[1]) if kind == "heading" else 0
            is_words = token.type == "paragraph_open" and not items
            if items and kind == "paragraph":
                kind = "bullet"
            yield _Leaf(token.map[0], token.map[1], kind, label, level, is_words)


def _plain(text: str, starts: list[int], begin: int, end: int) -> Iterator[Block]:
    """Lines that the parser takes for definitions: notes and link targets."""
    for line in range(begin, end):
        block = _cut(text, starts, line, line + 1)
        if block is not None:
            yield by_its_look(block)


def _cut(text: str, starts: list[int], begin: int, end: int) -> Block | None:
    piece = text[starts[begin] : starts[min(end, len(starts) - 1)]]
    stripped = piece.strip().strip("\ufeff").strip()
    if not stripped:
        return None
    start = starts[begin] + piece.index(stripped)
    return Block(start, start + len(stripped), stripped)


def _line_starts(text: str) -> list[int]:
    """Offsets of the lines, and of the end of the text."""
    starts, at = [0], 0
    while at < len(text):
        if text[at] == "\n" or (text[at] == "\r" and text[at + 1 : at + 2] != "\n"):
            starts.append(at + 1)
        at += 1
    if starts[-1] != len(text):
        starts.append(len(text))
    return starts
