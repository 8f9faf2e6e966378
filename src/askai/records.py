"""The records that flow through askai: frozen, and free of behaviour beyond their own invariants.

Offsets count Unicode code points of `Document.text`, half open: `text[start:end]`.
"""

from dataclasses import dataclass, field
from typing import Literal

from askai.tables import label_cells

MarkKind = Literal[
    "heading",  # a heading line; `level` 1 is the outermost
    "paragraph",  # a block of running text; label "¶33" when it is numbered
    "bullet",  # one item of a list
    "table",  # from the title (or the first row) to the last row; label "Table 1"
    "table_title",
    "table_header",  # the row of column names
    "table_row",  # label "Table 1, row 3"
    "footnote",  # the text of a note, its mark included; a note split over pages has several
    "reference",  # the place in running text that carries a note's mark; same label as the note
    "language",  # a part of the document in one language; label is its ISO 639-1 code
    "page",  # one page of a paged source; label is its number
]


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the corpus, as it was when it was read."""

    path: str  # relative to the corpus folder, with forward slashes
    sha256: str
    bytes: int
    reader: str
    version: str  # of the reader: a citation names both, since they decide the offsets
    encoding: str = "utf-8"
    title: str | None = None  # "": it has none, and its path says nothing that could stand for one
    publisher: str | None = None
    author: str | None = None
    published: str | None = None  # ISO 8601, as precise as is known: "2026-01-08", "2025"
    language: str | None = None  # ISO 639-1, of the document as a whole
    url: str | None = None
    pages: tuple[float, ...] = ()  # how well the text of each page came out, 0..1; 0: no text


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a document that means something."""

    kind: MarkKind
    start: int
    end: int
    label: str = ""
    level: int = 0
    continues: bool = False  # goes on from the earlier mark of the same kind and label


@dataclass(frozen=True, slots=True)
class Document:
    source: Source
    text: str
    marks: tuple[Mark, ...]  # ordered by (start, -end)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not in the index, and why."""

    path: str
    reason: str
    bytes: int = 0  # with the time, what tells whether the file is still the one not read
    ctime_ns: int = 0  # of its last change, its permissions included; 0: no reader was tried


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: `document.text[start:end] == text`.

    `context` is embedded and searched with the text and is never quoted.
    """

    id: str  # from the source path, the span and the text: the same after every rebuild
    path: str
    start: int
    end: int
    text: str
    context: str
    kind: Literal["text", "table_row", "footnote"] = "text"
    label: str = ""  # "¶33", "Table 1, row 3", "note 13"
    heading: tuple[str, ...] = ()
    language: str | None = None
    header: tuple[str, ...] = ()  # column names, for a table row
    related: tuple[str, ...] = ()  # ids of the chunks it is tied to: a note and its sentence
    units: tuple[tuple[int, int], ...] = ()  # sentences, bullets, rows: what an answer quotes
    beside: tuple[str, ...] = ()  # ids of those that its running text goes on from and goes on in

    def __hash__(self) -> int:
        return hash(self.id)  # that of all fields takes longer than what is remembered by it

    @property
    def embedded_text(self) -> str:
        """What the embedder and the lexical index see; a row has each cell under its column."""
        text = label_cells(self.text, self.header) if self.header else self.text
        return f"{self.context}\n{text}" if self.context else text


@dataclass(frozen=True, slots=True)
class Part:
    """What of a document is given for a question: `document.text[start:end] == text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    chunk: Chunk
    rank: int  # from 1
    score: float  # fused
    dense: float  # cosine, -1..1
    lexical: float  # BM25 as a share of what a passage with every term would score, 0..1
    dense_rank: int | None = None  # None: not in that leg's list
    lexical_rank: int | None = None
    rerank: float | None = None
    part: Part | None = None  # what is given, see `narrowing`; None: the whole chunk
    alone: float | None = None  # the score without what stands beside it; None: the same

    @property
    def own_score(self) -> float:
        """The score by its own text."""
        return self.score if self.alone is None else self.alone

    @property
    def start(self) -> int:
        return self.part.start if self.part else self.chunk.start

    @property
    def end(self) -> int:
        return self.part.end if self.part else self.chunk.end

    @property
    def text(self) -> str:
        """The document's text from `start` to `end`."""
        return self.part.text if self.part else self.chunk.text


@dataclass(frozen=True, slots=True)
class Evidence:
    """The unit an answer is made of: a sentence, a bullet, a table row or a note."""

    chunk: Chunk
    start: int
    end: int
    quote: str  # `document.text[start:end]`
    score: float
    dense: float = 0.0  # cosine of question and unit
    coverage: float = 0.0  # IDF-weighted share of the question's terms that the unit holds, 0..1
    rerank: float | None = None  # the reranker's logit; None: not asked


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a source that proves a sentence."""

    n: int  # from 1, in the order of the answer
    source: Source
    start: int
    end: int
    quote: str
    heading: tuple[str, ...] = ()
    label: str = ""
    page: int | None = None
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConflictValue:
    value: str
    citation: int


@dataclass(frozen=True, slots=True)
class Conflict:
    about: str
    values: tuple[ConflictValue, ...]


@dataclass(frozen=True, slots=True)
class Abstention:
    reason: str  # one sentence in the language of the question
    missing: tuple[str, ...] = ()  # names and numbers of the question that no document holds
    closest: tuple[Citation, ...] = ()  # what the documents do say
    unreadable: tuple[str, ...] = ()  # files that could not be read and might have held it


@dataclass(frozen=True, slots=True)
class Partial:
    """An index in several shards of which some could not be asked."""

    shards: int  # in all
    missing: tuple[str, ...]  # addresses, without passwords


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    language: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    passages: tuple[Hit, ...]
    abstention: Abstention | None = None
    conflicts: tuple[Conflict, ...] = ()
    confidence: float = 0.0  # 0..1, that the documents answer the question; see gate.Verdict
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> Literal["answered", "abstained"]:
        return "answered" if self.abstention is None else "abstained"

    @property
    def text(self) -> str | None:
        """The sentences with their citation numbers, or None when askai abstained."""
        if self.abstention is not None:
            return None
        return " ".join(s.text + "".join(f" [{n}]" for n in s.citations) for s in self.sentences)


@dataclass(frozen=True, slots=True)
class GoldItem:
    """A question with what a right answer is, written by reading the documents."""

    id: str
    language: str
    kind: str
    question: str
    answers: tuple[tuple[str, ...], ...] = ()  # any entry, all of its strings in the answer: right
    evidence: tuple["GoldQuote", ...] = ()
    need: Literal["any", "all"] = "any"  # of the evidence
    unanswerable: str | None = None  # the reason, when the documents do not say


@dataclass(frozen=True, slots=True)
class GoldQuote:
    path: str  # relative to the corpus folder
    quote: str  # verbatim
