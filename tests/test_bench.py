"""Ranking documents by their best passage, and the measures of a ranking, worked by hand."""

import math
from contextlib import contextmanager

import ir_measures
import pytest

from askai import narrowing
from askai.assemble import open_bench
from askai.beir import BeirQuery, load_bench
from askai.bench import (
    MEASURES,
    Outcome,
    Ranker,
    Ranking,
    mean,
    outcomes,
    ranking_measures,
    trec_lines,
    worth,
)
from askai.bench_index import build_bench
from askai.measures import Span
from askai.recipes import recipe
from askai.records import Abstention, Answer, Chunk, Citation, Hit, Sentence, Source
from askai.settings import Settings
from askai.spans import SpanScores
from beir_folder import beir_folder


def ranked(*names):
    """Documents with falling scores."""
    return [(name, 1 - n / 100) for n, name in enumerate(names)]


# One relevant document at rank 3: nDCG = (1 / log2 4) / 1 = .5; of two, at ranks 2 and 3:
# (1 / log2 3 + 1 / log2 4) / (1 + 1 / log2 3).
NDCG_2_AND_3 = (1 / math.log2(3) + 0.5) / (1 + 1 / math.log2(3))
ELEVEN = [f"x{n:02}" for n in range(10)]
MEASURED = {
    "first": ({"a": 1}, ["a", "b"], (1, 1, 1, 1, 1, 0.2)),
    "third": ({"a": 1}, ["b", "c", "a"], (0.5, 1, 1, 1 / 3, 0, 0.2)),
    "sixth": ({"a": 1}, [*ELEVEN[:5], "a"], (1 / math.log2(7), 0, 1, 1 / 6, 0, 0)),
    "eleventh": ({"a": 1}, [*ELEVEN, "a"], (0, 0, 0, 0, 0, 0)),
    "not found": ({"a": 1}, ["b"], (0, 0, 0, 0, 0, 0)),
    "no results": ({"a": 1}, [], (0, 0, 0, 0, 0, 0)),
    "two of two": ({"a": 1, "b": 1}, ["c", "a", "b"], (NDCG_2_AND_3, 1, 1, 0.5, 0, 0.4)),
    "one of two": ({"a": 1, "z": 1}, ["a", "c"], (1 / (1 + 1 / math.log2(3)), 0.5, 0.5, 1, 1, 0.2)),
    "judged and not relevant": (
        {"a": 1, "b": 0},
        ["b", "a"],
        (1 / math.log2(3), 1, 1, 0.5, 0, 0.2),
    ),
    # Grades are gains: 1 / log2 2 + 2 / log2 3 of the ideal 2 / log2 2 + 1 / log2 3.
    "grades": (
        {"a": 1, "b": 2},
        ["a", "b"],
        ((1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)), 1, 1, 1, 1, 0.4),
    ),
}


@pytest.mark.parametrize(("relevant", "names", "expected"), MEASURED.values(), ids=MEASURED)
def test_measures_worked_by_hand(relevant, names, expected):
    found = ranking_measures(relevant, ranked(*names))
    assert found == pytest.approx(dict(zip(MEASURES, expected, strict=True)))


def test_the_mean_is_over_what_is_known():
    assert mean([1.0, None, 0.0]) == (0.5, 2)
    assert mean([None]) == (None, 0)
    assert mean([]) == (None, 0)


# --- ranking ------------------------------------------------------------------------------------

# At 32 tokens each paragraph is a passage.
FOX = "The red fox hunts at night in the woods and the fields near the old village by the river."
OWL = "An owl sleeps by day in the hollow of a tall oak and calls at dusk across the silent valley."
HEN = "A hen lays an egg in the straw of the barn, where the farmer finds it every single morning."


def query(text, relevant=None, spans=(), **more):
    return BeirQuery(
        id="q1", text=text, answerable=bool(relevant), relevant=relevant or {}, spans=spans, **more
    )


@contextmanager
def opened(folder, *, chunk_tokens=32, **texts):
    """An open index of documents, in the real parts but for the embedder."""
    bench = load_bench(beir_folder(folder / "bench", corpus=texts))
    settings = Settings(model="hashing", chunk_tokens=chunk_tokens)
    build_bench(bench, recipe(settings), folder / "index")
    with open_bench(settings, folder / "index") as found:
        yield found


def test_a_document_is_ranked_once_by_its_best_passage(tmp_path):
    texts = {"a": f"{OWL}\n\n{FOX}\n\n{HEN}", "b": f"{OWL} Red.\n\n{HEN}", "c": HEN}
    with opened(tmp_path, **texts) as found:
        ranking = Ranker(found.retriever).rank(query("The red fox hunts at night"))
        hits = found.retriever.search(found.retriever.query("The red fox hunts at night"), 10)
    assert [name for name, _ in ranking.documents] == ["a", "b", "c"]
    assert len(hits) == 6
    assert ranking.passages == ()  # of no use where no spans are known
    best = {path: max(h.score for h in hits if h.chunk.path == path) for path in "abc"}
    assert dict(ranking.documents) == pytest.approx(best)


@pytest.mark.parametrize("legs", ["both", "dense", "lexical"])
def test_passages_are_those_of_a_search_or_whole_ones_of_one_leg(tmp_path, legs):
    long = f"{OWL} {HEN} The night is red. {OWL.replace('owl', 'uhu')} {HEN}"
    asked = query("Does a red fox hunt at night?", {"a": 1}, ((Span("a", 0, 9),),))
    with opened(tmp_path, chunk_tokens=256, a=FOX, b=long) as found:
        ranking = Ranker(found.retriever, legs, span_k=2).rank(asked)
        hits = narrowing.search(found.retriever, found.retriever.query(asked.text), 2)
    whole = {Span("a", 0, len(FOX)), Span("b", 0, len(long))}
    given = {Span(hit.chunk.path, hit.start, hit.end) for hit in hits}
    assert given != whole
    assert set(ranking.passages) == (given if legs == "both" else whole)


def test_as_many_passages_are_asked_for_as_the_documents_need(tmp_path):
    """A long document fills the first 128 places, and the second is found behind it."""
    long = "\n\n".join(f"{FOX} Fox number {n}, a red one." for n in range(200))
    with opened(tmp_path, long=long, short=HEN, other=OWL) as found:
        ranking = Ranker(found.retriever).rank(query("red fox in the woods at night"), documents=3)
        one = Ranker(found.retriever).rank(query("red fox in the woods at night"), documents=1)
    assert ranking.documents[0][0] == "long"
    assert {name for name, _ in ranking.documents} == {"long", "short", "other"}
    assert [name for name, _ in one.documents] == ["long"]


def three_kinds():
    """A hundred documents each that cosines like best, second and least, and words the other way.

    Of fox, hound and zebu the first hold one word in two, the next two in ten, the last all
    three in twenty-three. So fusion leaves out what cosines like best.
    """

    def other(n, count):
        return " ".join(f"w{n}x{i}" for i in range(count))

    one = {f"one{n}": f"fox w{n}." for n in range(100)}
    two = {f"two{n}": f"fox hound {other(n, 8)}." for n in range(100)}
    return one | two | {f"all{n}": f"fox hound zebu {other(n, 20)}." for n in range(100)}


@pytest.mark.parametrize("legs", ["dense", "lexical"])
def test_a_leg_alone_ranks_as_it_does_in_a_search_of_everything(tmp_path, legs):
    asked = query("fox hound zebu")
    with opened(tmp_path, chunk_tokens=256, **three_kinds()) as found:
        parts = found.retriever
        few, hits = (parts.search(parts.query(asked.text), k) for k in (128, 10_000))
        ranking, fused = (Ranker(parts, by).rank(asked, documents=100) for by in (legs, "both"))
    ranks = {getattr(hit, f"{legs}_rank"): hit for hit in hits}
    expected = [(ranks[n].chunk.path, getattr(ranks[n], legs)) for n in range(1, 101)]
    assert list(ranking.documents) == expected
    assert [name for name, _ in fused.documents] == [hit.chunk.path for hit in hits[:100]]
    assert len(hits) == 300
    if legs == "dense":  # a search that is not deep enough lacks most of them
        assert len({hit.chunk.path for hit in few} & {name for name, _ in expected}) < 50


def test_a_leg_that_finds_nothing_scores_zero(tmp_path):
    with opened(tmp_path, a=FOX, b=OWL) as found:
        rank = Ranker(found.retriever, "lexical").rank
        (outcome,) = outcomes([query("zebra", {"a": 1}, ((Span("a", 0, 3),),))], rank=rank)
    assert outcome.measures == dict.fromkeys(MEASURES, 0.0)
    assert outcome.spans == SpanScores(0, 0, 0)


def test_a_trec_run_is_read_by_ir_measures(tmp_path):
    ranking = Ranking(query("?"), (("d#1", 0.75), ("d2", -0.125)), ())
    lines = trec_lines(ranking, "dense")
    assert lines == "q1 Q0 d#1 1 0.75 askai-dense\nq1 Q0 d2 2 -0.125 askai-dense\n"
    (tmp_path / "run.trec").write_text(lines, "utf-8")
    read = list(ir_measures.read_trec_run(str(tmp_path / "run.trec")))
    assert [(r.query_id, r.doc_id, r.score) for r in read] == [
        ("q1", "d#1", 0.75),
        ("q1", "d2", -0.125),
    ]


# --- outcomes -----------------------------------------------------------------------------------

PASSAGE = Chunk("p", "a", 0, 4, "text", "")


def cited(start, end, path="a"):
    source = Source(path, "0" * 64, 30, "text", "1")
    return Citation(1, source, start, end, "x" * (end - start))


def answer(*citations, closest=None, cosine=0.5):
    hits = (Hit(PASSAGE, 1, 9.0, cosine, 0.0),)
    gave_up = None if closest is None else Abstention("No.", closest=closest)
    sentences = tuple(Sentence("x", (c.n,)) for c in citations)
    return Answer("?", "en", sentences, citations, hits, abstention=gave_up)


def outcome_of(asked, answer, passages=()):
    documents = tuple((span.path, 1.0) for span in passages)
    (found,) = outcomes(
        [asked], rank=lambda q: Ranking(q, documents, tuple(passages)), ask=lambda _: answer
    )
    return found


ANSWERABLE = query("?", {"a": 1}, ((Span("a", 10, 20),), (Span("a", 50, 52),)))
JUDGED = {
    "quotes the span": (ANSWERABLE, answer(cited(10, 20)), (True, True, False)),
    "quotes half": (ANSWERABLE, answer(cited(0, 15)), (True, True, False)),
    "quotes less than half": (ANSWERABLE, answer(cited(0, 14)), (True, False, True)),
    "quotes the other": (ANSWERABLE, answer(cited(40, 60)), (True, True, False)),
    "quotes another document": (ANSWERABLE, answer(cited(10, 20, "b")), (True, False, True)),
    "quotes it second": (ANSWERABLE, answer(cited(0, 5), cited(9, 21)), (True, True, False)),
    "refuses, and would be right": (
        ANSWERABLE, answer(closest=(cited(10, 20),)), (False, False, False),
    ),
    "refuses, and would be wrong": (
        ANSWERABLE, answer(closest=(cited(0, 5), cited(10, 20))), (False, False, True),
    ),
    "refuses and shows nothing": (ANSWERABLE, answer(closest=()), (False, False, True)),
    "without spans the document": (
        query("?", {"a": 1, "b": 0}), answer(cited(90, 99)), (True, True, False),
    ),
    "without spans another": (query("?", {"a": 1, "b": 0}), answer(cited(0, 9, "b")),
                              (True, False, True)),
    "unanswerable, answered": (query("?"), answer(cited(10, 20)), (True, None, True)),
    "unanswerable, refused": (query("?"), answer(closest=(cited(1, 2),)), (False, None, True)),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "came", "expected"), JUDGED.values(), ids=JUDGED)
def test_answers_are_judged_by_what_they_quote(asked, came, expected):
    found = outcome_of(asked, came)
    assert (found.answered, found.right, found.would_err) == expected


def test_the_cosine_is_that_of_the_nearest_passage():
    hits = [Hit(PASSAGE, n, 2.0 - n, c, 0.0) for n, c in enumerate([0.1, 0.7])]
    found = outcome_of(query("?"), Answer("?", "en", (), (), tuple(hits), Abstention("No.")))
    assert found.cosine == 0.7
    nothing = outcome_of(query("?"), Answer("?", "en", (), (), (), Abstention("No.")))
    assert nothing.cosine == -1.0


def test_the_first_passages_are_held_against_the_spans():
    passages = [Span("b", 0, 10), Span("a", 0, 15), Span("a", 15, 20)]
    asked = query("?", {"a": 1}, ((Span("a", 10, 20),),))
    ranking = Ranking(asked, (("b", 2.0), ("a", 1.0)), tuple(passages))
    found = {k: next(outcomes([asked], rank=lambda _: ranking, span_k=k)).spans for k in (1, 2, 3)}
    assert found[1] == SpanScores(0, 0, 0)
    assert found[2] == pytest.approx((0.5, 5 / 25, 5 / 30))
    assert found[3] == pytest.approx((1, 10 / 30, 10 / 30))


def asked(confidence, cosine, would_err, *, answerable=True):
    return Outcome(
        query("?", {"a": 1} if answerable else {}),
        answered=True,
        would_err=would_err,
        confidence=confidence,
        cosine=cosine,
    )


def test_the_worth_of_a_confidence_beside_a_cosine():
    """By confidence the errors come last: risks 0, 0, 1/3, 1/2. By cosine first: 1, 1, 2/3, 1/2."""
    found = worth(
        [
            asked(0.9, 0.1, would_err=False),
            asked(0.8, 0.2, would_err=False),
            asked(0.7, 0.3, would_err=True),
            asked(0.6, 0.4, would_err=True, answerable=False),
        ]
    )
    assert (found.n, found.confidence, found.cosine) == pytest.approx((4, 2.5 / 12, 9.5 / 12))
    assert found.difference == pytest.approx(-7 / 12)
    assert -1 <= found.interval.low <= found.difference <= found.interval.high <= 0


def test_the_same_order_is_worth_the_same():
    found = worth([asked(n / 10, n / 20, would_err=n % 3 == 0) for n in range(10)])
    assert (found.difference, *found.interval) == (0, 0, 0)


def test_nothing_is_said_of_a_confidence_where_nothing_can_be_right():
    assert worth([]) is None
    assert worth([asked(0.9, 0.9, would_err=True, answerable=False)]) is None
    assert worth([Outcome(ANSWERABLE)]) is None


def test_an_unanswerable_question_has_no_measures_of_ranking():
    found = outcome_of(query("?"), answer(closest=()), [Span("a", 0, 5)])
    assert (found.measures, found.spans) == ({}, None)
