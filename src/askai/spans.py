"""How well passages cover what had to be found, character by character.

The measures of Smith and Troynikov 2024, "Evaluating Chunking Strategies for Retrieval" (Chroma),
over characters instead of tokens, as their code (brandonstarxel/chunking_evaluation) counts them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from askai.measures import Span


class SpanScores(NamedTuple):
    """Shares from 0 to 1."""

    recall: float
    precision: float
    iou: float


def span_scores(wanted: Sequence[Span], retrieved: Sequence[Span]) -> SpanScores:
    """Recall, precision and intersection over union of what was retrieved for what was wanted.

    With e the wanted characters and r the retrieved ones,

        recall = |e ∩ r| / |e|    precision = |e ∩ r| / |r|    IoU = |e ∩ r| / (|r| + |e − r|)

    A wanted character counts once, however many passages hold it; a retrieved one counts as often
    as it is retrieved, so that passages which overlap pay for it. Nothing retrieved scores 0.
    Raises ValueError when nothing is wanted.
    """
    if not wanted:
        raise ValueError("Nothing is wanted; expected at least one span.")
    needed = _union(wanted)
    shared = _size(
        _union(
            Span(one.path, max(one.start, other.start), min(one.end, other.end))
            for one in needed
            for other in retrieved
            if one.path == other.path and max(one.start, other.start) < min(one.end, other.end)
        )
    )
    size, missed = _size(retrieved), _size(needed) - shared
    return SpanScores(
        recall=shared / _size(needed),
        precision=shared / size if size else 0.0,
        iou=shared / (size + missed),
    )


def best_span_scores(
    alternatives: Iterable[Sequence[Span]], retrieved: Sequence[Span]
) -> SpanScores:
    """Each measure's best over answers that are each enough, as SQuAD takes the best of several."""
    scores = [span_scores(wanted, retrieved) for wanted in alternatives]
    return SpanScores(*map(max, zip(*scores, strict=True)))


def _union(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        last = merged[-1] if merged else None
        if last and last.path == span.path and span.start <= last.end:
            merged[-1] = last._replace(end=max(last.end, span.end))
        else:
            merged.append(span)
    return merged


def _size(spans: Iterable[Span]) -> int:
    return sum(span.end - span.start for span in spans)
