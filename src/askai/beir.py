"""A folder in the form of BEIR: documents, questions, and which document answers which question.

    DIR/corpus.jsonl     a line: {"_id": "d1", "title": "…", "text": "…"}
    DIR/queries.jsonl    a line: {"_id": "q1", "text": "…"}
    DIR/qrels.tsv        or DIR/qrels/test.tsv: query-id, corpus-id and score between tabs, under
                         a line with these three names

Thakur et al. 2021 (arXiv:2104.08663). A question may say more than they do: `answerable` (false:
no document answers it), `answers` [{"text", "start"}] (each one enough; characters of a document
that the qrels name), `references` [{"corpus_id", "start", "end"}] (needed together).

A folder is read twice, line by line: here to check it, then to index it; in memory are the
questions and the ids of the documents.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from askai.errors import GoldError
from askai.measures import Span
from askai.readers.text import TextReader, structured
from askai.records import Document, Source

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels.tsv"
SPLIT = "test"
_HEADER = ["query-id", "corpus-id", "score"]
_SHOWN = 20  # problems named at once
_PLAIN = " !#$&'()*+,:;=@[]~"  # of an id, kept in a path as they are, beside letters and digits


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of corpus.jsonl."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class BeirQuery:
    """A question to ask."""

    id: str
    text: str
    answerable: bool
    relevant: dict[str, int]  # grade by corpus id; empty: nothing is known to be relevant
    # Each alternative is a whole answer: the spans that it needs, by corpus id and characters.
    spans: tuple[tuple[Span, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder that was checked."""

    folder: Path
    queries: tuple[BeirQuery, ...]  # those judged, or said to be unanswerable; in their order
    unjudged: int  # queries of the file that are neither
    documents: int
    blank: int  # documents without text, which nothing can find
    sha256: str  # of corpus.jsonl
    bytes: int
    mtime_ns: int


def load_bench(folder: Path, *, split: str | None = None) -> Bench:
    """Reads and checks a folder; raises GoldError with a line for each thing that is wrong.

    The judgements are qrels.tsv, or qrels/test.tsv where there is none; `split` names another file
    of qrels/.
    """
    qrels_file = _files(folder, split)
    problems = _Problems()
    queries = _read_queries(folder / QUERIES, problems)
    qrels = _read_qrels(qrels_file, queries, problems)
    stat = (folder / CORPUS).stat()
    corpus = _check_corpus(folder / CORPUS, queries, qrels, problems)
    for judgement in qrels:
        if judgement.document not in corpus.ids:
            problems.add(
                qrels_file, judgement.line, f"corpus-id {judgement.document!r} is not in {CORPUS}"
            )
    asked = _asked(folder, queries, qrels, corpus, problems)
    problems.raise_any()
    if not asked:
        raise GoldError(
            f"{folder} has no question to ask: none of its {len(queries)} queries has a relevant "
            f'document in {qrels_file.name}, and none is marked "answerable": false.'
        )
    return Bench(
        folder=folder,
        queries=tuple(asked),
        unjudged=len(queries) - len(asked),
        documents=len(corpus.ids),
        blank=corpus.blank,
        sha256=corpus.sha256,
        bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
    )


def entries(bench: Bench) -> Iterator[Entry]:
    """The documents of a folder that was checked, in their order."""
    for _, value in _objects(bench.folder / CORPUS, _Problems()):
        yield Entry(value["_id"], value.get("title") or "", value["text"])


def document(entry: Entry) -> Document:
    """The entry as the reader of plain text would give it, character by character as it is.

    A title that is missing is not made of the id, which says nothing or too much.
    """
    reading, data = structured(entry.text), entry.text.encode()
    source = Source(
        path=path_of(entry.id),
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        reader=TextReader.name,
        version=TextReader.version,
        title=entry.title or reading.title or "",
        language=reading.language,
    )
    return Document(source, reading.text, reading.marks)


def path_of(corpus_id: str) -> str:
    """A relative path that says the id and nothing else; `id_of` takes it back."""
    path = quote(corpus_id, safe=_PLAIN)
    return path.replace(".", "%2E") if set(path) <= {"."} else path


def id_of(path: str) -> str:
    return unquote(path)


# --- checking ----------------------------------------------------------------------------------


class _Problems:
    """What is wrong with a folder; only the first are kept, all are counted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0

    def add(self, file: Path, line: int, what: str) -> None:
        self._count += 1
        if self._count <= _SHOWN:
            self._lines.append(f"{file}:{line}: {what}.")

    def raise_any(self) -> None:
        if self._count > _SHOWN:
            self._lines.append(f"… and {self._count - _SHOWN} more.")
        if self._lines:
            raise GoldError("\n".join(self._lines))


@dataclass(frozen=True, slots=True)
class _Question:
    """A line of queries.jsonl."""

    line: int
    id: str
    text: str
    answerable: bool | None
    answers: tuple[tuple[str, int], ...]  # text and first character
    references: tuple[tuple[Span, str | None], ...]  # with their words, where they are given


@dataclass(frozen=True, slots=True)
class _Judgement:
    line: int
    query: str
    document: str
    grade: int


@dataclass(slots=True)
class _Corpus:
    """What of corpus.jsonl is kept."""

    ids: dict[str, int] = field(default_factory=dict)  # line by id
    blank: int = 0
    sha256: str = ""
    answers: dict[str, list[tuple[Span, ...]]] = field(default_factory=dict)  # found; by query


def _files(folder: Path, split: str | None) -> Path:
    """The file of judgements; raises GoldError naming all that is missing."""
    if not folder.is_dir():
        found = "is a file" if folder.is_file() else "is not there"
        raise GoldError(f"{folder} {found}; expected a folder with {CORPUS}, {QUERIES}, {QRELS}.")
    inner = folder / "qrels" / f"{split or SPLIT}.tsv"
    qrels = inner if split or not (folder / QRELS).is_file() else folder / QRELS
    missing = [file for file in (folder / CORPUS, folder / QUERIES) if not file.is_file()]
    lacks = [file.name for file in missing]
    if not qrels.is_file():
        lacks.append(f"qrels/{inner.name}" if split else f"{QRELS} or qrels/{inner.name}")
    if lacks:
        splits = sorted(file.stem for file in (folder / "qrels").glob("*.tsv"))
        hint = f" There are the splits {', '.join(splits)}: --beir-split NAME." if splits else ""
        raise GoldError(f"{folder} is no whole BEIR folder; it lacks {', '.join(lacks)}.{hint}")
    return qrels


def _objects(
    file: Path, problems: _Problems, digest: Any = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of a JSON lines file; blank lines are passed over."""
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if digest is not None:
                    digest.update(line)
                if line.strip():
                    try:
                        value = json.loads(line.strip().decode("utf-8-sig"))
                    except json.JSONDecodeError as error:
                        found = f"{error.msg}, column {error.colno}"
                        problems.add(file, number, f"it is not JSON ({found})")
                        continue
                    except (ValueError, RecursionError) as error:
                        problems.add(file, number, f"it is not JSON ({error})")
                        continue
                    if isinstance(value, dict):
                        yield number, value
                    else:
                        problems.add(file, number, f"found {_short(value)}, expected an object")
    except OSError as error:
        raise GoldError(f"{file} cannot be read: {error.strerror or error}.") from error


def _short(value: object) -> str:
    shown = json.dumps(value, ensure_ascii=False) if value is not None else "nothing"
    return shown if len(shown) <= 40 else f"{shown[:40]}…"


def _is_text(value: object) -> bool:
    """Whether it is a string of whole characters: JSON can write half a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identified(
    file: Path, line: int, value: dict[str, Any], seen: dict[str, Any], problems: _Problems
) -> str | None:
    """The `_id`, if it is one and new."""
    name = value.get("_id")
    if not _is_text(name) or not str(name).strip():
        problems.add(file, line, f"_id is {_short(name)}, expected a string")
    elif name in seen:
        before = seen[name] if isinstance(seen[name], int) else seen[name].line
        problems.add(file, line, f"_id {name!r} was given to line {before} already")
    else:
        return str(name)
    return None


def _read_queries(file: Path, problems: _Problems) -> dict[str, _Question]:
    found: dict[str, _Question] = {}
    for line, value in _objects(file, problems):
        name = _identified(file, line, value, found, problems)
        text, answerable = value.get("text"), value.get("answerable")
        if not _is_text(text) or not str(text).strip():
            problems.add(file, line, f"text is {_short(text)}, expected a question")
        elif answerable is not None and not isinstance(answerable, bool):
            problems.add(file, line, f"answerable is {_short(answerable)}, expected true or false")
        elif name is not None:
            answers = _answers(file, line, value.get("answers"), problems)
            references = _references(file, line, value.get("references"), problems)
            found[name] = _Question(line, name, str(text), answerable, answers, references)
    if not found:
        problems.add(file, 1, "there are no queries")
    return found


def _answers(file: Path, line: int, value: Any, problems: _Problems) -> tuple[tuple[str, int], ...]:
    """Answers that say where they stand; those that do not are of no use here."""
    good = isinstance(value, list) and all(
        isinstance(a, dict) and _is_text(a.get("text")) and _is_offset(a.get("start", 0))
        for a in value
    )
    if value is not None and not good:
        problems.add(file, line, f'answers is {_short(value)}, expected [{{"text", "start"}}, …]')
    if not good:
        return ()
    return tuple((a["text"], a["start"]) for a in value if a["text"] and "start" in a)


def _references(
    file: Path, line: int, value: Any, problems: _Problems
) -> tuple[tuple[Span, str | None], ...]:
    good = isinstance(value, list) and all(
        isinstance(r, dict)
        and _is_text(r.get("corpus_id"))
        and _is_offset(r.get("start"))
        and _is_offset(r.get("end"))
        and r["start"] < r["end"]
        and _is_text(r.get("content", ""))
        for r in value
    )
    if value is not None and not good:
        expected = '[{"corpus_id", "start", "end"}, …]'
        problems.add(file, line, f"references is {_short(value)}, expected {expected}")
    if not good:
        return ()
    return tuple((Span(r["corpus_id"], r["start"], r["end"]), r.get("content")) for r in value)


def _is_offset(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _read_qrels(file: Path, queries: dict[str, _Question], problems: _Problems) -> list[_Judgement]:
    found: dict[tuple[str, str], _Judgement] = {}
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GoldError(f"{file} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        columns = line.rstrip("\r").split("\t")
        if number == 1:
            if columns != _HEADER:
                wanted = " ".join(_HEADER)
                problems.add(file, 1, f"found {line[:60]!r}, expected {wanted} between tabs")
        elif line.strip():
            judgement = _judgement(file, number, columns, problems)
            if judgement is None:
                continue
            key = (judgement.query, judgement.document)
            if judgement.query not in queries:
                problems.add(file, number, f"query-id {judgement.query!r} is not in {QUERIES}")
            elif key in found and found[key].grade != judgement.grade:
                before = f"{found[key].grade} in line {found[key].line}"
                problems.add(file, number, f"the score is {judgement.grade}, and {before}")
            else:
                found[key] = judgement
    return list(found.values())


def _judgement(file: Path, line: int, columns: list[str], problems: _Problems) -> _Judgement | None:
    if len(columns) != len(_HEADER):
        wanted = f"{len(_HEADER)} columns between tabs"
        problems.add(file, line, f"found {len(columns)} columns, expected {wanted}")
        return None
    try:
        return _Judgement(line, columns[0], columns[1], int(columns[2]))
    except ValueError:
        problems.add(file, line, f"the score is {columns[2]!r}, expected a whole number")
        return None


def _check_corpus(
    file: Path, queries: dict[str, _Question], qrels: list[_Judgement], problems: _Problems
) -> _Corpus:
    """Every document, and the spans of the questions in it."""
    digest, corpus = hashlib.sha256(), _Corpus()
    wanted = _by_document(queries, qrels)
    for line, value in _objects(file, problems, digest):
        name = _identified(file, line, value, corpus.ids, problems)
        title, text = value.get("title"), value.get("text")
        if not _is_text(text):
            problems.add(file, line, f"text is {_short(text)}, expected a string")
        elif title is not None and not _is_text(title):
            problems.add(file, line, f"title is {_short(title)}, expected a string")
        elif name is not None:
            corpus.blank += not str(text).strip()
            for question in wanted.get(name, ()):
                _check_spans(file.with_name(QUERIES), question, name, str(text), corpus, problems)
        if name is not None:
            corpus.ids[name] = line
    if not corpus.ids:
        problems.add(file, 1, "there are no documents")
    corpus.sha256 = digest.hexdigest()
    return corpus


def _by_document(
    queries: dict[str, _Question], qrels: list[_Judgement]
) -> dict[str, list[_Question]]:
    """The questions whose spans stand, or may stand, in a document."""
    pairs = {
        (judgement.document, judgement.query)
        for judgement in qrels
        if judgement.grade > 0 and queries[judgement.query].answers
    }
    pairs |= {(r.path, query.id) for query in queries.values() for r, _ in query.references}
    found: dict[str, list[_Question]] = {}
    for name, query_id in sorted(pairs):
        found.setdefault(name, []).append(queries[query_id])
    return found


def _check_spans(  # noqa: PLR0917  one question in one document
    file: Path, question: _Question, name: str, text: str, corpus: _Corpus, problems: _Problems
) -> None:
    for reference, content in question.references:
        if reference.path != name:
            continue
        here = f"reference {reference.start}-{reference.end} of {name!r}"
        said = text[reference.start : reference.end]
        if reference.end > len(text):
            problems.add(file, question.line, f"{here} is beyond its {len(text)} characters")
        elif content not in (None, said):
            found = f"{here} is {said[:40]!r}, and its content {str(content)[:40]!r}"
            problems.add(file, question.line, found)
    for answer, start in question.answers:
        if text[start : start + len(answer)] == answer:
            span = Span(name, start, start + len(answer))
            corpus.answers.setdefault(question.id, []).append((span,))


def _asked(
    folder: Path,
    queries: dict[str, _Question],
    qrels: list[_Judgement],
    corpus: _Corpus,
    problems: _Problems,
) -> list[BeirQuery]:
    """The questions that something is known of."""
    file, asked = folder / QUERIES, []
    relevant: dict[str, dict[str, int]] = {}
    for judgement in qrels:
        relevant.setdefault(judgement.query, {})[judgement.document] = judgement.grade
    for query in queries.values():
        judged = relevant.get(query.id, {})
        hit = any(grade > 0 for grade in judged.values())
        if query.answerable is False and hit:
            problems.add(file, query.line, "answerable is false, but a document is relevant")
        alternatives = corpus.answers.get(query.id, [])
        if hit and query.answers and not alternatives:
            text, start = query.answers[0]
            found = f"the answer {text[:40]!r} does not stand at {start} of a relevant document"
            problems.add(file, query.line, found)
        references = tuple(reference for reference, _ in query.references)
        for reference in references:
            if reference.path not in corpus.ids:
                found = f"reference to {reference.path!r}, which is not in {CORPUS}"
                problems.add(file, query.line, found)
        if hit or query.answerable is False:
            spans = (*alternatives, *([references] if references else []))
            asked.append(BeirQuery(query.id, query.text, hit, judged if hit else {}, spans))
    return asked
