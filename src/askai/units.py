"""The units of a passage: the sentences, bullets, rows and notes that an answer is made of."""

import re
from functools import lru_cache
from hashlib import sha256

from askai.records import Chunk
from askai.sentences import is_finished
from askai.tokens import is_han, tokens

KEY = 32  # bytes of a `vector_key`
_SCRAP = 8  # words; fewer without closing punctuation are a caption, a button, a label
_ADDRESS = re.compile(r"<?\w+://\S+")


def unit_texts(chunk: Chunk) -> list[tuple[str, str]]:
    """(id, text to embed) of a passage's units; none for a passage that is one unit itself.

    A unit is embedded under its heading, which often alone names the thing that it is about.
    """
    subject = f"{chunk.heading[-1]}: " if chunk.heading else ""
    return [
        (unit_id(chunk, n), subject + unit_quote(chunk, chunk.units[n]))
        for n in embedded_units(chunk)
    ]


def embedded_units(chunk: Chunk) -> range:
    """The numbers of the units that have a vector of their own, see `unit_texts`."""
    return range(len(chunk.units) if len(chunk.units) > 1 else 0)


def vector_key(text: str, language: str | None) -> bytes:
    """What the vector of a text is kept under: the SHA-256 of the text and of its language, whose
    mean was taken off."""
    return sha256(f"{language or ''}\0{text}".encode("utf-8", "surrogatepass")).digest()


def unit_id(chunk: Chunk, n: int) -> str:
    """The id of a passage's n-th unit."""
    return numbered(chunk.id, n)


def numbered(chunk_id: str, n: int) -> str:
    """The id of the n-th unit of the passage of this id."""
    return f"{chunk_id}:{n}"


def chunk_of(unit: str) -> str:
    """The id of the passage that a unit is of."""
    return unit.rpartition(":")[0]


def unit_quote(chunk: Chunk, span: tuple[int, int]) -> str:
    return chunk.text[span[0] - chunk.start : span[1] - chunk.start]


@lru_cache(2048)  # the same passages come up again and again
def says_something(chunk: Chunk) -> bool:
    """Whether any unit of a passage does."""
    return any(unit_says_something(chunk, span) for span in chunk.units)


@lru_cache(2048)
def unit_says_something(chunk: Chunk, span: tuple[int, int]) -> bool:
    """No label, no bare address, and no scrap of a page ("Follow by Email")."""
    quote = unit_quote(chunk, span)
    if _ADDRESS.match(quote):
        return False
    if chunk.kind != "text":
        return True
    words = sum(1 if not is_han(token) else 0.5 for token in tokens(_ADDRESS.sub(" ", quote)))
    itemised = chunk.text[: span[0] - chunk.start].rstrip(" ").endswith(("•", "-", "*"))
    if words < _SCRAP and not (itemised or is_finished(quote)):
        return False
    return words > 2 and not quote.rstrip().endswith((":", "："))
