"""Proving an answer again: are its quotes still where it says, and does it say only them?"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from askai.cite import is_file, row_header
from askai.corpus import Corpus, read_bytes, read_document
from askai.errors import AnswerFileError, ReadError, UsageError
from askai.records import Document
from askai.tables import render_row

SCHEMA = "askai.answer/1"
Found = Literal["same", "moved", "changed", "gone"]
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class CitationProof:
    n: int
    status: Found
    source: str
    start: int
    end: int
    quote: str
    found_at: tuple[int, int] | None  # where the quote stands now
    detail: str


@dataclass(frozen=True, slots=True)
class SentenceProof:
    text: str
    carried: bool  # the sentence is its quotes, and they can be proved
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    question: str
    status: Literal["answered", "abstained"]
    citations: tuple[CitationProof, ...]
    sentences: tuple[SentenceProof, ...]
    detail: str = ""  # what is wrong with the answer as a whole

    @property
    def provable(self) -> bool:
        """Every quote is in its source, and every sentence is its quotes."""
        cited = all(proof.status in ("same", "moved") for proof in self.citations)
        return cited and all(proof.carried for proof in self.sentences) and not self.detail


def load_answer(path: Path) -> dict[str, Any]:
    """The answer object of a file; raises AnswerFileError saying what is wrong with it."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise AnswerFileError(
            f"No file {path}; expected what `askai ask --json` printed."
        ) from error
    except OSError as error:
        raise AnswerFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise AnswerFileError(
            f"{path} is not JSON ({str(error)[:80]}); expected what `askai ask --json` printed."
        ) from error
    try:
        problem = _problem(data)
    except RecursionError:
        problem = "it is nested too deep"
    if problem:
        raise AnswerFileError(f"{path} is no answer: {problem}. Expected schema {SCHEMA!r}.")
    return cast("dict[str, Any]", data)


def verify(
    answer: dict[str, Any],
    *,
    corpus: Corpus,
    folders: tuple[Path, ...],
    published: Callable[[str], Document | None] = lambda _: None,
) -> Verification:
    """Proves each citation against its source, and each sentence against its citations.

    A source is looked for under each of `folders`, and then in the corpus by the end of its path.
    `published` gives what an index holds of a source that is nowhere on this machine.
    """
    documents: dict[str, Document | ReadError] = {}
    cited = answer["citations"] or (answer["abstention"] or {}).get("closest", [])
    for item in cited:
        if item["source"] not in documents:
            documents[item["source"]] = _document(item, corpus, folders, published)
    proofs = tuple(_prove(item, documents[item["source"]]) for item in cited)
    by_number = {item["n"]: item for item in answer["citations"]}
    provable = {proof.n: proof.status in ("same", "moved") for proof in proofs}
    sentences = tuple(
        _prove_sentence(sentence, by_number, provable, documents)
        for sentence in answer["sentences"]
    )
    return Verification(
        question=answer["question"],
        status=answer["status"],
        citations=proofs,
        sentences=sentences,
        detail=_whole(answer),
    )


def _password(path: Path, corpus: Corpus) -> str:
    inside = path.resolve()
    top = corpus.folder.resolve()
    return corpus.password(inside.relative_to(top).as_posix()) if inside.is_relative_to(top) else ""


def _document(
    item: dict[str, Any],
    corpus: Corpus,
    folders: tuple[Path, ...],
    published: Callable[[str], Document | None],
) -> Document | ReadError:
    path = _locate(item["source"], corpus, folders)
    reader, _, version = item["reader"].partition("/")
    if path is None:
        held = published(item["source"])
        if held is None:
            return ReadError("no such file")
        document, reader = held, held.source.reader
    else:
        try:
            document = read_document(
                read_bytes(path), item["source"], reader=reader, password=_password(path, corpus)
            )
        except (ReadError, UsageError) as error:
            return ReadError(str(error))
    if document.source.version != version:
        return ReadError(
            f"it was read by {item['reader']}; this askai has {reader}/{document.source.version}"
        )
    return document


def _locate(source: str, corpus: Corpus, folders: tuple[Path, ...]) -> Path | None:
    parts = Path(source).parts
    candidates = [folder / source for folder in folders]
    candidates += [corpus.folder.joinpath(*parts[i:]) for i in range(len(parts))]
    return next((path for path in candidates if is_file(path)), None)


def _prove(item: dict[str, Any], document: Document | ReadError) -> CitationProof:
    status: Found
    quote, start, end = item["quote"], item["start"], item["end"]
    at = None
    if isinstance(document, ReadError):
        status, detail = "gone", f"{item['source']}: {document}"
    elif document.text[start:end] == quote:
        status, at = "same", (start, end)
        edited = document.source.sha256 != item["sha256"]
        detail = "the file has changed elsewhere, the quote stands" if edited else ""
    elif (found := _nearest(document.text, quote, start)) is not None:
        status, at = "moved", (found, found + len(quote))
        detail = f"the quote now stands at {found}-{found + len(quote)}"
    else:
        status = "changed"
        now = _SPACE.sub(" ", document.text[start:end])[:120]
        detail = f"the source no longer says this; at {start}-{end} it says: {now or 'nothing'}"
    return CitationProof(item["n"], status, item["source"], start, end, quote, at, detail)


def _nearest(text: str, quote: str, start: int) -> int | None:
    """Where the quote stands, the place nearest to where it stood."""
    after = text.find(quote, min(start, len(text)))
    before = text.rfind(quote, 0, min(start, len(text)) + len(quote))
    places = [place for place in (before, after) if place >= 0]
    return min(places, key=lambda place: abs(place - start)) if places else None


def _prove_sentence(
    sentence: dict[str, Any],
    citations: dict[int, dict[str, Any]],
    provable: dict[int, bool],
    documents: dict[str, Document | ReadError],
) -> SentenceProof:
    problem = _sentence_problem(sentence, citations, provable, documents)
    return SentenceProof(sentence["text"], carried=not problem, detail=problem)


def _sentence_problem(
    sentence: dict[str, Any],
    citations: dict[int, dict[str, Any]],
    provable: dict[int, bool],
    documents: dict[str, Document | ReadError],
) -> str:
    numbers = sentence["citations"]
    if not numbers:
        return "it has no citation"
    unknown = [n for n in numbers if n not in citations]
    if unknown:
        return f"its citation {unknown[0]} is not given"
    if not all(provable[n] for n in numbers):
        return "a quote of it cannot be proved"
    said = _SPACE.sub(" ", sentence["text"]).strip()
    ways = [_ways(citations[n], documents[citations[n]["source"]]) for n in numbers]
    return "" if _is_joined(said, ways) else "it says something else than its quotes"


def _ways(item: dict[str, Any], document: Document | ReadError) -> list[str]:
    """How a quote may be printed: blanks as one, or a row as its cells with their columns."""
    ways = [_SPACE.sub(" ", item["quote"]).strip()]
    if isinstance(document, Document):
        at = _nearest(document.text, item["quote"], item["start"])
        header = row_header(document, at) if at is not None else ()
        if header:
            ways.append(render_row(item["quote"], header))
    return ways


def _is_joined(said: str, ways: list[list[str]]) -> bool:
    """Whether one way of each, in order, makes up what is said: joined as `sentences.joined`."""
    rests = {said}  # what is left to account for: never more of them than characters
    for options in ways:
        rests = {
            rest[len(option) :].removeprefix(" ")
            for rest in rests
            for option in options
            if rest.startswith(option)
        }
    return "" in rests


def _whole(answer: dict[str, Any]) -> str:
    """What the answer as a whole gets wrong about its own parts."""
    if answer["status"] == "abstained":
        return "" if answer["answer"] is None else "it abstains and yet gives an answer"
    said = " ".join(
        s["text"] + "".join(f" [{n}]" for n in s["citations"]) for s in answer["sentences"]
    )
    if not answer["sentences"]:
        return "it has no sentences"
    return "" if answer["answer"] == said else "its answer is not its sentences"


_CITATION = {
    "type": "object",
    "required": ["n", "source", "sha256", "reader", "start", "end", "quote"],
    "properties": {
        "n": {"type": "integer"},
        "source": {"type": "string", "minLength": 1},
        "sha256": {"type": "string"},
        "reader": {"type": "string"},
        "start": {"type": "integer", "minimum": 0},
        "end": {"type": "integer", "minimum": 1},
        "quote": {"type": "string", "minLength": 1},
    },
}
# What proving needs of an answer, so that one to which another program has added is proved as well;
# the whole form is schemas/answer.json.
_NEEDED = {
    "type": "object",
    "required": ["schema", "question", "status", "answer", "sentences", "citations", "abstention"],
    "properties": {
        "schema": {"const": SCHEMA},
        "question": {"type": "string"},
        "status": {"enum": ["answered", "abstained"]},
        "answer": {"type": ["string", "null"]},
        "citations": {"type": "array", "items": _CITATION},
        "sentences": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["text", "citations"],
                "properties": {
                    "text": {"type": "string"},
                    "citations": {"type": "array", "items": {"type": "integer"}},
                },
            },
        },
        "abstention": {
            "type": ["object", "null"],
            "properties": {"closest": {"type": "array", "items": _CITATION}},
        },
    },
}


def _problem(data: object) -> str:
    """The first thing that is not as in an answer, or nothing."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  only `verify` pays for it
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    error = best_match(Draft202012Validator(_NEEDED).iter_errors(data))
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "the top"
        return f"at {where}: {error.message[:120]}"
    found = cast("dict[str, Any]", data)
    for item in [*found["citations"], *(found["abstention"] or {}).get("closest", [])]:
        for name in ("start", "end"):
            item[name] = int(item[name])  # JSON Schema takes 1.0 for an integer
        if item["start"] >= item["end"]:
            return f"citation {item['n']} is from {item['start']} to {item['end']}"
    return ""
