"""Passages that repeat better ones: a page that has a paragraph twice, and a page and its copy."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from askai.records import Chunk, Hit
from askai.tokens import tokens

_TELLING = 20  # different words that a passage needs to be taken for the repetition of another
_MIDDLE = 20  # characters before and behind the middle of a passage that tell its copy


def without_repeats(hits: Sequence[Hit], k: int) -> list[Hit]:
    """The k best, without those that repeat a better one, which fill one place with it.

    What one document has twice is given where it first stands, with the scores of the better: their
    headings alone tell them apart.
    """
    kept: list[Hit] = []
    held: list[frozenset[str]] = []  # the words of each
    places: dict[str, list[int]] = {}  # of `kept`, by path
    for hit in hits:
        start, of_path = hit.chunk.start, places.get(hit.chunk.path, [])
        behind = [other for n in of_path if start < (other := kept[n].chunk).start]
        # Beyond the k best only what may take a place over is cut into words, which takes time.
        if len(kept) == k and not any(_may_copy(hit.chunk, other) for other in behind):
            continue
        words = _words(hit.chunk.text)
        place = next((n for n, other in enumerate(held) if _repeats(words, other)), None)
        if place is None:
            if len(kept) < k:
                places[hit.chunk.path] = [*of_path, len(kept)]
                kept.append(hit)
                held.append(words)
        elif words >= held[place] and _may_copy(hit.chunk, kept[place].chunk):
            kept[place] = replace(kept[place], chunk=hit.chunk)
            held[place] = words
    return kept


def _may_copy(one: Chunk, other: Chunk) -> bool:
    """Whether a passage stands before another in their document and has words of its middle."""
    if one.start >= other.start or one.path != other.path:
        return False
    middle = len(other.text) // 2
    return other.text[max(0, middle - _MIDDLE) : middle + _MIDDLE] in one.text


@lru_cache(512)
def _words(text: str) -> frozenset[str]:
    return frozenset(tokens(text))


def _repeats(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether one of two passages holds every word of the other; a few words say no more than that
    they are common. One number or name of its own makes a passage another one."""
    return min(len(one), len(other)) >= _TELLING and (one <= other or other <= one)
