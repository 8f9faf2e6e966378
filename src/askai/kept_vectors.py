"""Which vectors of an earlier index are those of the texts that there are now.

A vector is kept for a text, not for an id: whatever id a text has now (its file was renamed, copied
or swapped with another), its vector is the one that this text had, so that no passage can keep the
vector of a text that it no longer holds. Most passages of most updates are as they were, with their
units; only the others are looked at one by one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from askai.catalog import TextKeys
from askai.stores import Moves
from askai.units import KEY, numbered

Keyed = tuple[str, bytes]  # an id and the key of its text


@dataclass(frozen=True, slots=True)
class Kept:
    """What becomes of the vectors of a store, and the ids whose texts have none there."""

    moves: Moves
    new: Sequence[str]


def kept_passages(before: Sequence[TextKeys], now: Sequence[TextKeys]) -> Kept:
    """By the keys of all texts before and now."""
    gone, come = _changed(before, now)
    places = {key: id_ for id_, key, _ in before} if come else {}
    places |= {key: id_ for id_, key, _ in gone}
    return _kept([id_ for id_, _, _ in gone], [(id_, key) for id_, key, _ in come], places)


def kept_units(before: Sequence[TextKeys], now: Sequence[TextKeys]) -> Kept:
    """By the keys of all texts before and now."""
    gone, come = _changed(before, now)
    left, wanted = list(units(gone)), list(units(come))
    places = _places({key for _, key in wanted}, before) if wanted else {}
    places |= {key: id_ for id_, key in left}
    return _kept([id_ for id_, _ in left], wanted, places)


def units(keys: Iterable[TextKeys]) -> Iterator[Keyed]:
    """The ids and keys of the units of passages."""
    for id_, _, joined in keys:
        for n, at in enumerate(range(0, len(joined), KEY)):
            yield numbered(id_, n), joined[at : at + KEY]


def unit_count(keys: Iterable[TextKeys]) -> int:
    return sum(len(joined) for _, _, joined in keys) // KEY


def _changed(
    before: Sequence[TextKeys], now: Sequence[TextKeys]
) -> tuple[list[TextKeys], list[TextKeys]]:
    """Those before that are not as they were, and those now that were not so."""
    left = {keys[0]: keys for keys in before}
    come = []
    for keys in now:
        if left.get(keys[0]) == keys:
            del left[keys[0]]
        else:
            come.append(keys)
    return list(left.values()), come


def _kept(gone: Sequence[str], come: Sequence[Keyed], places: dict[bytes, str]) -> Kept:
    taken = {id_: places[key] for id_, key in come if key in places}
    return Kept(Moves(gone, taken), [id_ for id_, _ in come if id_ not in taken])


def _places(wanted: set[bytes], keys: Sequence[TextKeys]) -> dict[bytes, str]:
    """The id of a unit for each key that is wanted and there."""
    heads = np.frombuffer(b"".join(joined for _, _, joined in keys), np.uint64)[:: KEY // 8]
    sought = np.frombuffer(b"".join(wanted), np.uint64)[:: KEY // 8]
    rows = np.flatnonzero(np.isin(heads, sought))  # by their first bytes; then by all
    ends = np.cumsum([len(joined) // KEY for _, _, joined in keys])
    found = {}
    for row, place in zip(rows.tolist(), np.searchsorted(ends, rows, "right"), strict=True):
        id_, _, joined = keys[place]
        n = row - int(ends[place]) + len(joined) // KEY
        found[joined[n * KEY : (n + 1) * KEY]] = numbered(id_, n)
    return found
