"""The contract of `askai.lexical.LexicalIndex`, held by a BM25 written out by hand."""

import math
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askai.errors import IndexDamaged
from askai.lexical import LEXICALS
from askai.mapped_tables import MappedTexts, read_tables, write_tables
from askai.seams import load

PASSAGES = [
    ("p1", ["ai", "policy", "in", "shenzhen"]),
    ("p2", ["ai", "ai", "robots"]),
    ("p3", ["深圳", "人工", "智能", "ai"]),
    ("p4", []),
    ("p5", ["robots", "in", "paris", "in", "spring"]),
    ("p0", ["ai", "policy", "in", "shenzhen"]),
]


@pytest.fixture(params=sorted(LEXICALS))
def kind(request):
    return load("lexicals", LEXICALS, request.param)


class Reference:
    """BM25 in Lucene's form (Kamphuis et al., ECIR 2020), a line for each formula."""

    def __init__(self, passages):
        self.passages = dict(passages)
        self.average = sum(map(len, self.passages.values())) / max(1, len(self.passages))

    def idf(self, term):
        n, any_of = len(self.passages), {term} if isinstance(term, str) else set(term)
        df = sum(not any_of.isdisjoint(tokens) for tokens in self.passages.values()) or 0.5
        return math.log(1 + (n - df + 0.5) / (df + 0.5))

    def score(self, tokens, question):
        length = 1 - 0.75 + 0.75 * len(tokens) / (self.average or 1)
        count = Counter(tokens)
        tf = {
            t: count[t] if isinstance(t, str) else sum(count[w] for w in set(t)) for t in question
        }
        return sum(self.idf(t) * tf[t] / (tf[t] + 1.2 * length) for t in question if tf[t])

    def search(self, question, k, among=None):
        scored = [(-self.score(t, question), i) for i, t in self.passages.items()]
        return [(i, -s) for s, i in sorted(scored) if s and (among is None or i in among)][:k]


def check(found, wanted, reference, question):
    assert [s for _, s in found] == pytest.approx([s for _, s in wanted], abs=1e-4)
    for id_, score in found:
        true = reference.score(reference.passages[id_], question)
        assert score == pytest.approx(true, abs=1e-4)


@pytest.mark.parametrize(
    "question",
    [
        ["ai"],
        ["ai", "policy"],
        ["policy", "paris", "unheard-of"],
        ["ai", "ai", "robots"],
        ["深圳", "智能"],
        ["in", "the", "spring", "of", "shenzhen"],
        [("paris", "shenzhen"), "ai"],
        [("robots", "unheard-of", "robots"), ("nothing", "known")],
        [("in", "ai", "policy"), ()],
    ],
    ids=str,
)
@pytest.mark.parametrize("k", [1, 3, 100])
def test_scores_and_order_are_those_of_the_reference(kind, tmp_path, question, k):
    reference = Reference(PASSAGES)
    with closing(kind.build(tmp_path / "lexical", PASSAGES)) as index:
        wanted = reference.search(question, k)
        found = index.search(question, k)
        assert [i for i, _ in found] == [i for i, _ in wanted]
        check(found, wanted, reference, question)


token = st.text("abcdef猫", max_size=2)
corpora = st.lists(st.lists(token, max_size=8), max_size=12)


term = st.one_of(token, st.lists(token, max_size=3).map(tuple))


@given(corpus=corpora, question=st.lists(term, max_size=5), k=st.integers(0, 15))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_corpus_and_question(kind, tmp_path, corpus, question, k):
    passages = [(f"id{n * 7 % 13}", tokens) for n, tokens in enumerate(corpus)]
    reference = Reference(passages)
    kind.build(tmp_path / "lexical", passages).close()
    with closing(kind.open(tmp_path / "lexical")) as index:
        found = index.search(question, k)
        check(found, reference.search(question, k), reference, question)
        among = [i for i, _ in passages[::2]] + ["unknown"]
        check(
            index.search(question, k, among=among),
            reference.search(question, k, among),
            reference,
            question,
        )
        for other in ([], question[:1], question[1:], question[::-1]):
            index.search(other, k)
        assert index.search(question, k) == found  # whatever is remembered
        assert len(index) == len(passages)
        assert all(score <= index.ceiling(question) + 1e-6 for _, score in found)
        for asked in question:
            assert index.idf(asked) == pytest.approx(reference.idf(asked))
            if isinstance(asked, str):
                assert (asked in index) == any(asked in tokens for tokens in corpus)


def test_no_term_is_required(kind, tmp_path):
    index = kind.build(tmp_path / "lexical", PASSAGES)
    assert {i for i, _ in index.search(["paris", "shenzhen", "zzz"], 9)} == {"p0", "p1", "p5"}


def test_equal_scores_come_in_order_of_id(kind, tmp_path):
    index = kind.build(tmp_path / "lexical", PASSAGES)
    assert [i for i, _ in index.search(["policy"], 9)] == ["p0", "p1"]
    assert [i for i, _ in index.search(["policy"], 1)] == ["p0"]


@pytest.mark.parametrize("question", [[], ["unheard-of"], [""], ["x", "y"]], ids=str)
def test_a_question_without_known_terms_finds_nothing(kind, tmp_path, question):
    index = kind.build(tmp_path / "lexical", PASSAGES)
    assert index.search(question, 5) == []


@pytest.mark.parametrize("passages", [[], [("a", [])], [("a", []), ("b", [])]], ids=str)
def test_a_corpus_without_a_single_term(kind, tmp_path, passages):
    kind.build(tmp_path / "lexical", passages).close()
    with closing(kind.open(tmp_path / "lexical")) as index:
        assert len(index) == len(passages)
        assert index.search(["ai"], 5) == []
        assert "ai" not in index
        assert index.ceiling(["ai"]) == pytest.approx(math.log(1 + len(passages)))


def test_the_idf_of_an_unknown_term_is_above_that_of_every_known_one(kind, tmp_path):
    index = kind.build(tmp_path / "lexical", PASSAGES)
    assert index.idf("unheard-of") == pytest.approx(math.log(1 + len(PASSAGES)))
    assert index.idf("unheard-of") > index.idf("paris") > index.idf("ai") > 0
    assert 3 not in index


def test_the_ceiling_is_approached_by_a_passage_of_nothing_else(kind, tmp_path):
    passages = [("full", ["a", "b"] * 5000), *((f"p{n}", ["c"] * 10_000) for n in range(9))]
    index = kind.build(tmp_path / "lexical", passages)
    [(_, score)] = index.search(["a", "b"], 1)
    assert index.ceiling(["a", "b"]) * 0.999 < score < index.ceiling(["a", "b"])
    assert index.ceiling(["a", "b", "unknown"]) > index.ceiling(["a", "b"])


def test_a_passage_id_given_twice_is_refused(kind, tmp_path):
    with pytest.raises(ValueError, match="twice"):
        kind.build(tmp_path / "lexical", [("a", ["x"]), ("a", ["y"])])


def test_passages_may_come_from_a_generator(kind, tmp_path):
    index = kind.build(tmp_path / "lexical", (passage for passage in PASSAGES))
    assert index.search(["paris"], 5)[0][0] == "p5"


def test_the_same_passages_give_the_same_bytes(kind, tmp_path):
    for name in "ab":
        kind.build(tmp_path / name, PASSAGES).close()
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert files == sorted(file.name for file in (tmp_path / "b").iterdir())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_open_index_survives_its_replacement(kind, tmp_path):
    with closing(kind.build(tmp_path / "lexical", PASSAGES)) as old:
        before = old.search(["ai", "robots"], 9)
        kind.build(tmp_path / "lexical", [("other", ["robots"])]).close()
        assert old.search(["ai", "robots"], 9) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_an_error(kind, tmp_path):
    kind.build(tmp_path, PASSAGES).close()
    for file in list(tmp_path.iterdir()):
        full = tmp_path / f"{file.name}.tmp"
        full.symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left on device"):
            kind.build(tmp_path, PASSAGES)
        assert not full.is_symlink()


def test_whatever_is_damaged_is_named(kind, tmp_path):
    folder = tmp_path / "lexical"
    kind.build(folder, PASSAGES).close()
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        for damage in (
            None,
            b"",
            content[:-3],
            content[: len(content) // 2],
            b"PK\x03\x04" + content[4:],
        ):
            file.unlink(missing_ok=True)
            if damage is not None:
                file.write_bytes(damage)
            with pytest.raises(IndexDamaged, match=r"lexical .* `askai index --rebuild`"):
                pytest.fail(f"{file.name} {damage!r}: {kind.open(folder)}")
        file.write_bytes(content)
    assert len(kind.open(folder)) == len(PASSAGES)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("passages.npy", lambda a: a + 1),
        ("passages.npy", lambda a: a - 1),
        ("passages.npy", lambda a: a.astype(np.int64)),
        ("offsets.npy", lambda a: a[:-1]),
        ("offsets.npy", lambda a: np.concatenate([a[:1], a[-2:0:-1], a[-1:]])),
        ("scores.npy", lambda a: a[:-1]),
        ("scores.npy", lambda a: a.reshape(1, -1)),
    ],
)
def test_bm25_arrays_that_do_not_belong_together_are_damage(tmp_path, name, change):
    kind = load("lexicals", LEXICALS, "bm25")
    kind.build(tmp_path, PASSAGES).close()
    np.save(tmp_path / name, change(np.load(tmp_path / name)))
    words = [word for _, words in PASSAGES for word in words]
    with pytest.raises(IndexDamaged):  # what opening does not look at, a question does
        kind.open(tmp_path).search(words, 9)


@pytest.mark.parametrize("name", ["ids", "terms"])
def test_bm25_tables_of_others_or_of_another_kind_are_damage(tmp_path, name):
    kind = load("lexicals", LEXICALS, "bm25")
    kind.build(tmp_path, PASSAGES).close()
    file = tmp_path / f"{name}.tables"
    texts = list(MappedTexts(read_tables(file, kind=name)))
    tables = MappedTexts.tables(texts)
    wrongs = [
        (MappedTexts.tables(texts[1:]), name),
        (MappedTexts.tables([*texts, b"more"]), name),
        (tables, "others"),
        (tables | {"hashes": tables["hashes"][1:]}, name),
        (tables | {"ends": tables["ends"] + 1}, name),
        (tables | {"rows": tables["rows"].astype(np.int64)}, name),
        ({"texts": tables["texts"]}, name),
    ]
    for wrong, kind_of in wrongs:
        write_tables(file, wrong, kind=kind_of)
        with pytest.raises(IndexDamaged):
            kind.open(tmp_path)
    write_tables(file, tables, kind=name)
    kind.open(tmp_path).close()


def test_building_and_answering_import_neither_scipy_nor_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from askai.lexical.bm25 import BM25Index\n"
        "BM25Index.build(Path(sys.argv[1]), [('p5', ['paris'])]).close()\n"
        "index = BM25Index.open(Path(sys.argv[1])); print(index.search(['paris'], 1)[0][0])\n"
        "print({'scipy', 'sentence_transformers', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "p5\nset()\n"


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=9), max_size=12), st.integers(1, 9))
def test_passages_counted_a_few_at_a_time_weigh_the_same(tmp_path_factory, passages, tokens):
    given_ = [(f"p{n}", words) for n, words in enumerate(passages)]
    bm25 = load("lexical", LEXICALS, "bm25")
    folder = tmp_path_factory.mktemp("bm25")
    bm25.build(folder / "whole", given_).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("askai.lexical.bm25._TOKENS", tokens)
        bm25.build(folder / "parts", given_).close()
    for file in (folder / "whole").iterdir():
        assert file.read_bytes() == (folder / "parts" / file.name).read_bytes()
