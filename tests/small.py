"""Small indexes for the tests of single stages: passages made by hand, in real stores."""

from dataclasses import replace

from askai.aliases import Aliases
from askai.answerability import Answerability
from askai.catalog import Catalog
from askai.catalog_writer import CatalogWriter
from askai.centring import Centring
from askai.embedders.hashing import HashingEmbedder
from askai.evidence import EvidenceFinder
from askai.lexical.bm25 import BM25Index
from askai.records import Chunk, Document, Evidence, Hit, Source
from askai.rerankers.none import NoReranker
from askai.retrieve import Retriever
from askai.stores.exact import ExactStore
from askai.tokens import content_tokens
from askai.units import unit_texts

# A gate to compute by hand: open from a score of .7 where no constraint is broken.
BY_HAND = Answerability(
    weights={"score": 10.0},
    means={"score": 0.7},
    scales={"score": 1.0},
    bias=0.0,
    threshold=0.5,
)


def passage(id_, text, **more):
    """A passage that is a document of its own, and one unit."""
    whole = Chunk(
        id=id_,
        path=f"{id_}.txt",
        start=0,
        end=len(text),
        text=text,
        context="",
        language="en",
        units=((0, len(text)),),
    )
    return replace(whole, **more)


def passages(**texts):
    return [passage(id_, text) for id_, text in texts.items()]


def filler(count):
    """Passages that share no word with anything else."""
    return [passage(f"z{n:03}", f"filler{n} nothing{n} else{n}") for n in range(count)]


def words(folder, chunks):
    """The word index of passages."""
    pairs = [(chunk.id, content_tokens(chunk.embedded_text)) for chunk in chunks]
    return BM25Index.build(folder / "words", pairs)


def retriever(folder, chunks, *, embedder=None, groups=(), places=()):
    """A retriever over these passages, which also can find evidence: (retriever, finder)."""
    embedder = embedder or HashingEmbedder()
    with CatalogWriter(folder / "catalog.sqlite") as writer:
        for chunk in chunks:
            source = Source(chunk.path, "0" * 64, len(chunk.text.encode()), "text", "1")
            writer.add_document(Document(source, chunk.text, ()), [chunk], 0)
    store = ExactStore.create(folder / "vectors", dim=embedder.dim)
    store.add([c.id for c in chunks], embedder.embed_passages([c.embedded_text for c in chunks]))
    units = ExactStore.create(folder / "units", dim=embedder.dim)
    pairs = [pair for chunk in chunks for pair in unit_texts(chunk)]
    units.add([i for i, _ in pairs], embedder.embed_passages([text for _, text in pairs]))
    lexical = words(folder, chunks)
    catalog = Catalog.open(folder / "catalog.sqlite")
    found = Retriever(
        catalog=catalog,
        store=store,
        units=units,
        lexical=lexical,
        embedder=embedder,
        centring=Centring(),
        aliases=Aliases((*places, *groups), frozenset(place[0] for place in places)),
    )
    return found, EvidenceFinder(units, lexical, NoReranker())


def hit(chunk, rank=1, score=0.9):
    return Hit(chunk, rank, score, score, 0.0, dense_rank=rank)


def unit(chunk, score=2.0, coverage=1.0, n=0):
    """The n-th unit of a passage; with such a score and coverage the gate made by hand is open."""
    start, end = chunk.units[n]
    quote = chunk.text[start - chunk.start : end - chunk.start]
    return Evidence(chunk, start, end, quote, score, score, coverage)
