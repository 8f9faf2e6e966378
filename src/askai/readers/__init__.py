"""The reader seam: the bytes of a file in, its text and marks out."""

from dataclasses import dataclass
from typing import Protocol

from askai.records import Mark

READERS = {
    "text": "askai.readers.text:TextReader",
    "markdown": "askai.readers.markdown:MarkdownReader",
}
# Which reader a file name asks for. A reader added by an entry point is reached by its own name
# through `readers` in askai.toml.
SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found in a file."""

    text: str
    encoding: str
    marks: tuple[Mark, ...]
    title: str | None = None
    language: str | None = None


class Reader(Protocol):
    """Turns bytes into text whose offsets never change for the same bytes and version.

    The marks of kind heading, paragraph, bullet, table_title, table_header, table_row and footnote
    are disjoint and together hold every non-blank character of the text.
    """

    name: str
    version: str

    def read(self, data: bytes) -> Reading:
        """Raises ReadError saying what was found, when the bytes are not what it reads."""
        ...
