"""The two Parquet files of a part, from records and back to the same records, to the bit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib import import_module
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from askai.embedders import Vectors
from askai.errors import PartsError
from askai.records import Chunk, Document, Mark, Source
from askai.units import embedded_units, numbered

_ROWS = 1024  # passages in a row group, and so in memory when they are read again
_SOURCE = tuple(field.name for field in fields(Source))
_MARK = tuple(field.name for field in fields(Mark))
_CHUNK = tuple(field.name for field in fields(Chunk))
_LISTS = ("heading", "header", "related", "beside")
_OF_SOURCE, _OF_MARK, _OF_CHUNK = attrgetter(*_SOURCE), attrgetter(*_MARK), attrgetter(*_CHUNK)


@dataclass(frozen=True, slots=True)
class Piece:
    """A document with all that is found by it."""

    document: Document
    chunks: Sequence[Chunk]
    tokens: Sequence[Sequence[str]]  # of each chunk
    vectors: Vectors  # of the chunks, shape (n, dim)
    units: Vectors  # of their units that have one, in order, shape (m, dim)


def arrow(name: str = "pyarrow") -> Any:
    """A module of pyarrow, imported at first use; raises PartsError when it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise PartsError(
            "Parts are Parquet files, which need the package pyarrow: pip install 'askai[parts]'"
        ) from error


def written_documents(pieces: Sequence[Piece], about: Mapping[str, str]) -> bytes:
    """The file of the documents of `pieces`; `about` is kept with its schema."""
    documents = [piece.document for piece in pieces]
    sources = zip(*(_OF_SOURCE(document.source) for document in documents), strict=True)
    columns = dict(zip(_SOURCE, map(list, sources), strict=True)) if documents else {}
    columns["text"] = [document.text for document in documents]
    columns["marks"] = [
        [dict(zip(_MARK, _OF_MARK(mark), strict=True)) for mark in document.marks]
        for document in documents
    ]
    schema = _documents_schema()
    arrays = [
        arrow().array(columns.get(name, []), schema.field(name).type) for name in schema.names
    ]
    return _written(arrays, schema, about)


def written_passages(pieces: Sequence[Piece], dim: int, about: Mapping[str, str]) -> bytes:
    """The file of the passages of `pieces`, with vectors of `dim` numbers."""
    pa = arrow()
    chunks = [chunk for piece in pieces for chunk in piece.chunks]
    columns = zip(*map(_OF_CHUNK, chunks), strict=True)
    made: dict[str, Any] = dict(zip(_CHUNK, map(list, columns), strict=True)) if chunks else {}
    made["units"] = [[{"start": a, "end": b} for a, b in chunk.units] for chunk in chunks]
    made["tokens"] = [list(tokens) for piece in pieces for tokens in piece.tokens]
    schema = _passages_schema(dim)
    given = {name: pa.array(made.get(name, []), schema.field(name).type) for name in schema.names
             if name not in _VECTORS}  # fmt: skip
    counts = [len(embedded_units(chunk)) for chunk in chunks]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int32)
    given["vector"] = _vector_array([piece.vectors for piece in pieces], dim)
    units = _vector_array([piece.units for piece in pieces], dim)
    given["unit_vectors"] = pa.ListArray.from_arrays(
        pa.array(offsets), units, type=schema.field("unit_vectors").type
    )
    return _written([given[name] for name in schema.names], schema, about)


def read_documents(file: Path) -> Iterator[Document]:
    """What `written_documents` wrote; raises PartsError."""
    for batch in _batches(file, [*_SOURCE, "text", "marks"], rows=64):
        for row in batch.to_pylist():
            values = {name: row[name] for name in _SOURCE}
            marks = tuple(Mark(**mark) for mark in row["marks"])
            source = Source(**values | {"pages": tuple(row["pages"])})
            yield Document(source, row["text"], marks)


def read_chunks(file: Path) -> Iterator[Chunk]:
    """The passages that `written_passages` wrote, in order; raises PartsError."""
    for batch in _batches(file, list(_CHUNK)):
        for row in batch.to_pylist():
            lists = {name: tuple(row[name]) for name in _LISTS}
            units = tuple((unit["start"], unit["end"]) for unit in row["units"])
            yield Chunk(**row | lists | {"units": units})


def read_tokens(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Of each passage its id and tokens; raises PartsError."""
    for batch in _batches(file, ["id", "tokens"]):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def read_vectors(file: Path, dim: int) -> Iterator[tuple[list[str], Vectors]]:
    """The ids and vectors of passages, some at a time; raises PartsError."""
    for batch in _batches(file, ["id", "vector"]):
        ids, vectors = batch.columns
        yield ids.to_pylist(), _vectors(vectors, len(ids), dim)


def read_unit_vectors(file: Path, dim: int) -> Iterator[tuple[list[str], Vectors]]:
    """The ids and vectors of units, some at a time; raises PartsError."""
    for batch in _batches(file, ["id", "unit_vectors"]):
        passages, vectors = batch.columns
        counts = vectors.value_lengths().to_pylist()
        ids = [
            numbered(id_, n)
            for id_, count in zip(passages.to_pylist(), counts, strict=True)
            for n in range(count)
        ]
        yield ids, _vectors(vectors.flatten(), len(ids), dim)


_VECTORS = ("vector", "unit_vectors")


def _documents_schema() -> Any:
    pa = arrow()
    text, number = pa.string(), pa.int64()
    mark = pa.struct(
        [("kind", text), ("start", number), ("end", number), ("label", text), ("level", number),
         ("continues", pa.bool_())]
    )  # fmt: skip
    other = {"bytes": number, "pages": pa.list_(pa.float64())}
    columns = [(name, other.get(name, text)) for name in _SOURCE]
    return pa.schema([*columns, ("text", text), ("marks", pa.list_(mark))])


def _passages_schema(dim: int) -> Any:
    pa = arrow()
    text, number = pa.string(), pa.int64()
    texts, vector = pa.list_(text), pa.list_(pa.float32(), dim)
    span = pa.struct([("start", number), ("end", number)])
    other = {"start": number, "end": number, "units": pa.list_(span)}
    other |= dict.fromkeys(_LISTS, texts)
    columns = [(name, other.get(name, text)) for name in _CHUNK]
    vectors = [("vector", vector), ("unit_vectors", pa.list_(vector))]
    return pa.schema([*columns, ("tokens", texts), *vectors])


def _vector_array(parts: Sequence[Vectors], dim: int) -> Any:
    pa = arrow()
    whole = np.concatenate([*parts, np.empty((0, dim), np.float32)]).astype(np.float32, copy=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(whole.reshape(-1)), dim)


def _vectors(column: Any, count: int, dim: int) -> Vectors:
    flat = column.flatten().to_numpy(zero_copy_only=False)
    if flat.dtype != np.float32 or len(flat) != count * dim:
        raise ValueError(f"{count} vectors of {dim} numbers expected, {len(flat)} numbers found")
    vectors: Vectors = flat.reshape(count, dim)
    return vectors


def _written(arrays: list[Any], schema: Any, about: Mapping[str, str]) -> bytes:
    table = arrow().Table.from_arrays(arrays, schema=schema.with_metadata(dict(about)))
    file = BytesIO()
    arrow("pyarrow.parquet").write_table(table, file, compression="zstd", row_group_size=_ROWS)
    return file.getvalue()


def _batches(file: Path, columns: list[str], rows: int = _ROWS) -> Iterator[Any]:
    parquet = arrow("pyarrow.parquet")
    with _damage_named(file):
        opened = parquet.ParquetFile(file)
    with opened, _damage_named(file):
        for batch in opened.iter_batches(batch_size=rows, columns=columns):
            yield batch.select(columns)


@contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    try:
        yield
    except PartsError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's are among them
        why = " ".join(str(error).split())[:200]
        raise PartsError(
            f"{file} cannot be used: {why}. Export again, or copy it again."
        ) from error
