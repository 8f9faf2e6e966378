"""What `askai doctor` looks at in a Milvus; each tells it, or raises StoredIndexError."""

from askai.errors import IndexDamaged
from askai.milvus import nearest
from askai.milvus.collections import (
    CHUNK,
    POSTINGS,
    SOURCE,
    TABLES,
    TEXT,
    TOKENS,
    epoch_name,
    from_json,
    state_name,
)
from askai.milvus.published import QUESTIONS, PublishedIndex, parts_of
from askai.milvus.vectors import KIND
from askai.servers import checked_counts


def server(index: PublishedIndex) -> str:
    """The version, and that all collections are there."""
    snapshot = index.snapshot
    state, client, name = snapshot.state, snapshot.client, snapshot.address.name
    there = set(client.collections())
    wanted = [state_name(name), *(epoch_name(name, state.epoch, w) for w in ("rows", *TABLES))]
    if missing := [collection for collection in wanted if collection not in there]:
        raise IndexDamaged(f"Missing: the collection {', '.join(missing)}.")
    return (
        f"{index.where}: Milvus {client.version()}, collections {name}_* of version "
        f"{state.version}, epoch {state.epoch}, state {state.number}"
    )


def agreement(index: PublishedIndex) -> str:
    """Holds the collections against each other and against the manifest."""
    snapshot, counts = index.snapshot, index.manifest.counts
    state, catalog = snapshot.state, index.catalog()
    documents, chunks = catalog.document_count(), catalog.chunk_count()
    units = sum(units for _, _, _, units in catalog.chunk_places())
    entries = sum(row["count"] for row in snapshot.all_versions(POSTINGS))
    # Of a source there may be two versions.
    sources = len({thing.doc for thing in snapshot.all_things(SOURCE)})
    checked_counts(
        {
            "documents": (documents, counts.documents),
            "sources": (sources, documents),
            "texts": (snapshot.count(TEXT), documents),
            "passages in the manifest": (chunks, counts.chunks),
            "passages": (snapshot.count(CHUNK), chunks),
            "passages' vectors": (snapshot.vector_count("passage_vectors"), chunks),
            "sentences' vectors": (snapshot.vector_count("unit_vectors"), units),
            "passages in the word index": (snapshot.count(TOKENS), chunks),
            "passages in its total": (state.passages, chunks),
            "postings": (entries, state.postings),
        }
    )
    return (
        f"{index.manifest.generation}: {documents} documents, {chunks} passages, published by "
        f"{state.publisher}"
    )


def recall(index: PublishedIndex) -> str:
    """Asks the stored questions of the approximate indexes again."""
    said = []
    stored = from_json(parts_of(index.snapshot, [QUESTIONS])[QUESTIONS])
    for table in TABLES:
        store = index.vectors(table)
        found, name = store.found_by(), table.replace("_", " ")
        if found.kind != KIND:
            said.append(f"{found.vectors} {name}: all are looked at")
            continue
        now = nearest.recall(store, nearest.from_json(stored[table]))
        if now < nearest.ENOUGH:
            raise IndexDamaged(
                f"recall@10 of the {name} is {now:.3f}, expected is {nearest.ENOUGH} or more."
            )
        said.append(
            f"{found.vectors} {name}: {found.kind}, recall@10 {now:.3f} of {found.sample} stored "
            "questions"
        )
    return "; ".join(said)
