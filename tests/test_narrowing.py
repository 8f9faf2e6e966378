"""What is given of the passages found: the sentences that are near to the question, together."""

from contextlib import contextmanager

import pytest

from askai.assemble import open_bench
from askai.beir import load_bench
from askai.bench_index import build_bench
from askai.narrowing import narrowed, pool, search
from askai.recipes import recipe
from askai.settings import Settings
from beir_folder import beir_folder

FOX = "The red fox hunts at night in the woods and the fields near the old village by the river."
OWL = "An owl sleeps by day in the hollow of a tall oak and calls at dusk across the silent valley."
HEN = "A hen lays an egg in the straw of the barn, where the farmer finds it every single morning."
COW = "Cows graze on the meadow below the church until the bell rings and a boy drives them home."
RED = "A red fox was once seen there at night."
ASKED = "Does a red fox hunt at night?"


@contextmanager
def opened(folder, *, chunk_tokens=256, **texts):
    """An open index of documents, in the real parts but for the embedder."""
    bench = load_bench(beir_folder(folder / "bench", corpus=texts))
    settings = Settings(model="hashing", chunk_tokens=chunk_tokens)
    build_bench(bench, recipe(settings), folder / "index")
    with open_bench(settings, folder / "index") as found:
        yield found.retriever


def asked(retriever, question=ASKED, k=5):
    return search(retriever, retriever.query(question), k)


def test_of_a_passage_that_is_behind_the_sentence_is_given_that_is_near(tmp_path):
    long = f"{OWL} {HEN} {RED} {COW} {HEN.replace('hen', 'goose')}"
    with opened(tmp_path, a=f"{FOX} Hunting at night the red fox is seen.", b=long) as retriever:
        first, second = asked(retriever, "Where does a red fox hunt at night, in the woods?")
    assert (first.chunk.path, first.text) == ("a", first.chunk.text)
    start = long.index(RED)
    assert (second.chunk.path, second.start, second.end) == ("b", start, start + len(RED))
    assert second.text == RED
    assert (second.chunk.start, second.chunk.end) == (0, len(long))  # its scores are of all of it


def test_sentences_that_follow_each_other_are_one_part_over_the_end_of_a_passage(tmp_path):
    other = FOX.replace("hunts", "sleeps")
    text = f"{OWL}\n\n{FOX}\n\n{other}\n\n{COW}"
    with opened(tmp_path, chunk_tokens=32, a=text) as retriever:
        passages = retriever.search(retriever.query(ASKED), 10)
        first, *rest = asked(retriever)
    assert len(passages) == 4
    assert first.text == f"{FOX}\n\n{other}"
    assert {hit.text for hit in rest} == {OWL, COW}  # the best there is of each, and for itself


def test_a_part_is_no_longer_than_a_passage(tmp_path):
    foxes = [FOX.replace("The red", f"Red {n}") for n in range(30)]
    with opened(tmp_path, chunk_tokens=32, a=" ".join(foxes)) as retriever:
        hits = asked(retriever, k=30)
    lengths = [len(hit.text) for hit in hits]
    assert max(lengths) <= 1300
    assert max(lengths) > 10 * len(FOX)


def test_what_stands_twice_is_given_where_it_first_stands(tmp_path):
    """It is better where the heading has the question's words, and stands earlier under another."""
    text = f"CHURCH BELLS\n\n{FOX}\n\n{COW}\n\n{HEN}\n\nHUNTING FOXES\n\n{FOX}\n\n{HEN}"
    with opened(tmp_path, chunk_tokens=32, a=text) as retriever:
        passages = retriever.search(retriever.query(f"hunting foxes: {ASKED}"), 10)
        hits = asked(retriever, f"hunting foxes: {ASKED}")
    assert passages[0].chunk.heading == ("HUNTING FOXES",)
    assert hits[0].text == FOX
    assert hits[0].start == text.index(FOX)
    assert hits[0].chunk.heading == ("CHURCH BELLS",)
    assert hits[0].score == passages[0].score
    assert [hit.text for hit in hits].count(FOX) == 1


def test_a_passage_that_stands_twice_is_found_where_it_first_stands(tmp_path):
    """Copies of twenty words and more fill one place, that of the better with its score."""
    copy = f"{FOX} {RED} Hounds chase foxes from dawn until dusk through thorny hedges."
    text = f"CHURCH BELLS\n\n{copy}\n\n{COW}\n\nHUNTING FOXES\n\n{copy}\n\n{HEN}"
    question = f"hunting foxes: {ASKED}"
    with opened(tmp_path / "twice", chunk_tokens=64, a=text) as retriever:
        hits = retriever.search(retriever.query(question), 10)
        (best,) = retriever.search(retriever.query(question), 1)
        ((nearest, cosine),) = retriever.leg(retriever.query(question), 1, name="dense")
    assert [hit.chunk.heading for hit in hits if copy in hit.text] == [("CHURCH BELLS",)]
    assert (best.chunk, best.score) == (hits[0].chunk, hits[0].score)
    assert copy in best.text
    assert best.chunk.id != nearest  # which is the copy under the other heading
    assert best.dense == cosine


def test_a_few_words_that_stand_twice_stay_where_they_are(tmp_path):
    text = f"CHURCH BELLS\n\n{RED} {HEN}\n\n{COW}\n\nHUNTING FOXES\n\n{RED} {OWL}"
    with opened(tmp_path, chunk_tokens=32, a=text) as retriever:
        hits = asked(retriever, f"hunting foxes: {ASKED}")
    assert text.rindex(RED) == hits[0].start


def test_rows_are_whole_and_apart(tmp_path):
    rows = [f"fox {n}\tred\thunts at night" for n in range(4)]
    text = "\n".join(["Animals by colour\n", "animal\tcolour\thabit", *rows])
    with opened(tmp_path, a=text) as retriever:
        hits = [hit for hit in asked(retriever) if hit.chunk.kind == "table_row"]
    assert sorted(hit.text for hit in hits) == rows
    assert all((hit.start, hit.end) == (hit.chunk.start, hit.chunk.end) for hit in hits)


@pytest.mark.parametrize("question", [ASKED, "Who calls at dusk?", "zzz", "where is the farmer"])
@pytest.mark.parametrize("chunk_tokens", [32, 64, 256])
def test_parts_are_ranked_exact_and_apart(tmp_path, question, chunk_tokens):
    texts = {
        "a": f"{FOX} {OWL}\n\n{HEN} {COW}\n\n{FOX} {RED}",
        "b": f"NIGHT\n\n{COW} {RED}\n\n- {HEN}\n- {OWL}\n\n{FOX}",
        "c": f"狐狸在夜里打猎。{RED}😀 {OWL}",
    }
    with opened(tmp_path, chunk_tokens=chunk_tokens, **texts) as retriever:
        hits = asked(retriever, question, k=20)
        few = asked(retriever, question, k=2)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)
    assert few == hits[:2]
    for n, hit in enumerate(hits):
        assert texts[hit.chunk.path][hit.start : hit.end] == hit.text != ""
        for other in hits[:n]:
            apart = hit.end <= other.start or other.end <= hit.start
            assert apart or hit.chunk.path != other.chunk.path


def test_nothing_found_gives_nothing(tmp_path):
    with opened(tmp_path, a=FOX) as retriever:
        assert narrowed(retriever, retriever.query(ASKED), [], 5) == []


def test_twice_as_many_passages_are_looked_at_as_are_asked_for():
    assert [pool(k) for k in (1, 5, 10, 11, 100)] == [20, 20, 20, 22, 200]
