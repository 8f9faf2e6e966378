"""The reader seam: the bytes of a file in, its text and marks out."""

from dataclasses import dataclass
from typing import Protocol

from askai.records import Mark

READERS = {
    "text": "askai.readers.text:TextReader",
    "markdown": "askai.readers.markdown:MarkdownReader",
    "pdf": "askai.readers.pdf:PdfReader",
    "html": "askai.readers.html:HtmlReader",
    "docx": "askai.readers.docx:DocxReader",
    "epub": "askai.readers.epub:EpubReader",
    "csv": "askai.readers.tables_csv:CsvReader",
    "jsonl": "askai.readers.jsonl:JsonLinesReader",
}
# As their classes have them, and here so that nothing is loaded to compare them.
VERSIONS = {
    "text": "1",
    "markdown": "2",
    "pdf": "2",
    "html": "2",
    "docx": "2",
    "epub": "2",
    "csv": "2",
    "jsonl": "2",
}
# Read in a process of their own (`readers.worker`): their parsers can hang, or crash.
MOST_SECONDS = 120.0  # for one file
ISOLATED = frozenset({"pdf", "html", "docx", "epub"})
# Which reader a file name asks for. A reader added by an entry point is reached by its own name
# through `readers` in askai.toml.
SUFFIXES = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".pdf": "pdf",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".docx": "docx",
    ".epub": "epub",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found in a file."""

    text: str
    encoding: str
    marks: tuple[Mark, ...]
    title: str | None = None
    language: str | None = None
    author: str | None = None
    published: str | None = None  # ISO 8601, as precise as is known
    url: str | None = None  # where a web page says it lives
    # Of a paged source, for each page how well its text came out, 0..1; 0: no text (a scan).
    pages: tuple[float, ...] = ()


class Reader(Protocol):
    """Turns bytes into text whose offsets never change for the same bytes and version.

    The marks of kind heading, paragraph, bullet, table_title, table_header, table_row and footnote
    are disjoint and together hold every non-blank character of the text.
    """

    name: str
    version: str

    def read(self, data: bytes, *, password: str = "") -> Reading:
        """Raises ReadError saying what was found, when the bytes are not what it reads.

        `password` is the user's for this file; readers of formats that have none take no notice.
        """
        ...
