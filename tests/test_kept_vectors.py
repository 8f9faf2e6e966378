"""Every text that had a vector keeps it, whatever its id; no id keeps that of another text."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from askai.kept_vectors import kept_passages, kept_units, unit_count, units

texts = st.integers(0, 12)
generations = st.dictionaries(
    st.sampled_from("abcdefgh"), st.tuples(texts, st.lists(texts, max_size=4)), max_size=8
)


def key(text):
    return sha256(str(text).encode()).digest()


def keys_of(generation):
    return [(id_, key(text), b"".join(map(key, of))) for id_, (text, of) in generation.items()]


def after(moves, before):
    """The keys by id when a store of those before has done as it is told."""
    gone = set(moves.gone)
    return {id_: key for id_, key in before.items() if id_ not in gone} | {
        id_: before[there] for id_, there in moves.taken.items()
    }


@given(before=generations, now=generations)
def test_what_is_kept_and_what_is_new_are_the_texts_that_there_are(before, now):
    before, now = keys_of(before), keys_of(now)
    for kept, had, has in (
        (kept_passages(before, now), [k[:2] for k in before], [k[:2] for k in now]),
        (kept_units(before, now), list(units(before)), list(units(now))),
    ):
        here = dict(has)
        known = {key for _, key in had}
        assert kept.new == [id_ for id_, key in has if key not in known]
        assert after(kept.moves, dict(had)) == {i: k for i, k in here.items() if k in known}


@given(now=generations)
def test_what_is_as_it_was_is_not_named(now):
    keys = keys_of(now)
    for kept in (kept_passages(keys, keys), kept_units(keys, keys)):
        assert (kept.moves.gone, kept.moves.taken, kept.new) == ([], {}, [])
    assert unit_count(keys) == len(list(units(keys)))


def test_a_renamed_text_takes_the_vector_that_nobody_needs_any_more():
    before = keys_of({"a": (1, [2, 3]), "b": (1, [2, 4])})
    now = keys_of({"a": (1, [2, 3]), "c": (1, [2, 4])})
    assert kept_passages(before, now).moves.taken == {"c": "b"}
    assert kept_units(before, now).moves.taken == {"c:0": "b:0", "c:1": "b:1"}
