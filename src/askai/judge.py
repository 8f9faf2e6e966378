"""One question's answer held against its gold item: what was found, said, cited, and how surely.

A question needs its evidence. Where any of its quotes will do, that is one need, met by any of
them; where all are required, each quote is a need of its own. A quote may stand in several places
of its document, each as good as another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from askai.gold import places, says, split_of
from askai.measures import Span, half_covered, is_about, ranking, shared, token_f1
from askai.records import Answer, Citation, GoldItem, GoldQuote, Hit


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one question, with every value that a measure is made of."""

    item: GoldItem
    status: Literal["answered", "abstained"]
    said: str  # the answer with its citation numbers, or the reason for abstaining
    would_say: str  # the answer, or the quote that comes closest; "": there is none
    right: bool | None  # of the answer; a refusal is wrong; None: the question is unanswerable
    would_be_right: bool | None  # of what it would say; None: the question is unanswerable
    confidence: float  # 0..1, that the documents answer
    evidence_rank: int | None  # from 1: the first k of evidence@k; None: not found
    need_ranks: tuple[int | None, ...]  # of the first passage about each need; none: unanswerable
    ranking: dict[str, float]  # `measures.ranking`; empty: the question is unanswerable
    token_f1: float | None  # of the answer; a refusal has 0; None: the question is unanswerable
    citations: int
    citations_verbatim: int
    citation_precision: float | None  # None: unanswerable, or not answered
    citation_recall: float | None  # None: unanswerable, or not answered
    sentences: int
    total_ms: float | None  # None: the answer does not say

    @property
    def answerable(self) -> bool:
        return self.item.unanswerable is None

    @property
    def answered(self) -> bool:
        return self.status == "answered"

    @property
    def would_err(self) -> bool:
        """Whether answering is a mistake: there is no answer, or another one."""
        return not self.would_be_right

    def found_at(self, k: int) -> bool:
        """Whether the first `k` passages hold the evidence."""
        return self.evidence_rank is not None and self.evidence_rank <= k


def judge(item: GoldItem, answer: Answer, texts: Mapping[str, str]) -> Result:
    """Holds an answer against its gold item.

    `texts` maps a path relative to the corpus folder to the text of that document.
    """
    answerable, abstention = item.unanswerable is None, answer.abstention
    plain = " ".join(sentence.text for sentence in answer.sentences)
    closest = abstention.closest if abstention else ()
    would_say = plain if abstention is None else "".join(c.quote for c in closest[:1])
    cited = (*answer.citations, *closest)
    needs = _needs(item, texts)
    need_ranks = tuple(_first_about(need, answer.passages) for need in needs)
    weighed = answerable and abstention is None
    return Result(
        item=item,
        status=answer.status,
        said=(answer.text or "") if abstention is None else abstention.reason,
        would_say=would_say,
        right=(abstention is None and says(plain, item)) if answerable else None,
        would_be_right=says(would_say, item) if answerable else None,
        confidence=answer.confidence,
        evidence_rank=_evidence_rank(needs, answer.passages),
        need_ranks=need_ranks,
        ranking=ranking(need_ranks) if answerable else {},
        token_f1=_best_f1(plain, item) if answerable else None,
        citations=len(cited),
        citations_verbatim=sum(_is_verbatim(citation, texts) for citation in cited),
        citation_precision=_precision(answer.citations, needs) if weighed else None,
        citation_recall=_recall(answer.citations, needs) if weighed else None,
        sentences=len(answer.sentences),
        total_ms=answer.timings_ms.get("total"),
    )


def to_dict(result: Result) -> dict[str, Any]:
    """A result as an item of schemas/evaluation.json."""
    item = result.item
    values = {f.name: getattr(result, f.name) for f in fields(result) if f.name != "item"}
    return {
        "id": item.id,
        "language": item.language,
        "kind": item.kind,
        "split": split_of(item.id),
        "question": item.question,
        "answers": [list(answer) for answer in item.answers],
        "evidence": [asdict(quote) for quote in item.evidence],
        "need": item.need,
        "unanswerable": item.unanswerable,
        **values,
        "need_ranks": list(result.need_ranks),
    }


def from_dict(record: Mapping[str, Any]) -> Result:
    """The result that `to_dict` made the record of."""
    item = GoldItem(
        id=record["id"],
        language=record["language"],
        kind=record["kind"],
        question=record["question"],
        answers=tuple(map(tuple, record["answers"])),
        evidence=tuple(GoldQuote(**quote) for quote in record["evidence"]),
        need=record["need"],
        unanswerable=record["unanswerable"],
    )
    values = {f.name: record[f.name] for f in fields(Result) if f.name != "item"}
    return Result(item=item, **{**values, "need_ranks": tuple(record["need_ranks"])})


def _needs(item: GoldItem, texts: Mapping[str, str]) -> list[list[Span]]:
    """For each thing the question needs, the places that give it."""
    quoted = [
        [Span(quote.path, *place) for place in places(quote, texts)] for quote in item.evidence
    ]
    if item.need == "any" and quoted:
        return [[place for found in quoted for place in found]]
    return quoted


def _evidence_rank(needs: Sequence[Sequence[Span]], passages: Sequence[Hit]) -> int | None:
    """The smallest k whose first k passages hold the evidence that the item needs."""
    ranked = sorted(passages, key=lambda hit: hit.rank)
    read: list[Span] = []
    for hit in ranked:
        read.append(_span(hit))
        if needs and all(any(half_covered(place, read) for place in need) for need in needs):
            return hit.rank
    return None


def _first_about(need: Sequence[Span], passages: Sequence[Hit]) -> int | None:
    """The rank of the first passage about a need."""
    about = [hit.rank for hit in passages if any(is_about(_span(hit), place) for place in need)]
    return min(about, default=None)


def _span(hit: Hit) -> Span:
    return Span(hit.chunk.path, hit.start, hit.end)


def _best_f1(plain: str, item: GoldItem) -> float:
    return max((token_f1(plain, " ".join(answer)) for answer in item.answers), default=0.0)


def _is_verbatim(citation: Citation, texts: Mapping[str, str]) -> bool:
    text = texts.get(citation.source.path)
    return text is not None and text[citation.start : citation.end] == citation.quote


def _cited(citation: Citation) -> Span:
    return Span(citation.source.path, citation.start, citation.end)


def _precision(citations: Sequence[Citation], needs: Sequence[Sequence[Span]]) -> float:
    """The share of citations that share a character with the evidence; of none, 0."""
    wanted = [place for need in needs for place in need]
    good = sum(any(shared(_cited(c), place) for place in wanted) for c in citations)
    return good / len(citations) if citations else 0.0


def _recall(citations: Sequence[Citation], needs: Sequence[Sequence[Span]]) -> float:
    """The share of needs that citations together cover half of, in one place."""
    spans = [_cited(citation) for citation in citations]
    met = sum(any(half_covered(place, spans) for place in need) for need in needs)
    return met / len(needs)
