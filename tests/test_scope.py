"""Questions put to some of the documents."""

import json
import re
from contextlib import chdir
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from askai.catalog import Catalog
from askai.catalog_writer import CatalogWriter
from askai.errors import UsageError
from askai.records import Document, Source
from askai.scope import Filters, scope_of
from conftest import QUESTION, Desk
from small import passage, retriever

DOCUMENTS = {
    "a.txt": ("2025-01-08", "en"),
    "reports/2024/b.pdf": ("2024", "zh"),
    "reports/2025/C[1].pdf": ("2025-03", "fr"),
    "reports/d.txt": (None, "en"),
    "Re\u0301sume\u0301.md": ("no date", "es"),
}
HASH = "0" * 64
CORPUS = Path("corpus")  # what it holds is not looked at


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = tmp_path_factory.mktemp("scope") / "catalog.sqlite"
    with CatalogWriter(path) as writer:
        for n, (name, (published, language)) in enumerate(DOCUMENTS.items()):
            chunk = passage(f"p{n}", "One is here. Two is there.", path=name, language=language)
            chunk = replace(chunk, units=((0, 12), (13, 26)))
            source = Source(name, HASH, 26, "text", "1", published=published)
            writer.add_document(Document(source, chunk.text, ()), [chunk], 0)
    with Catalog.open(path) as opened:
        yield opened


def shown(path):
    return f"corpus/{path}"


def left(catalog, **filters):
    found = scope_of(Filters(**filters), catalog, corpus=CORPUS, shown=shown)
    assert found.of == len(DOCUMENTS)
    assert found.documents == len(found.passages)
    assert found.units == tuple(f"{p}:{n}" for p, n in product(found.passages, range(2)))
    return [list(DOCUMENTS)[int(id_[1:])] for id_ in found.passages]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("a.txt", ["a.txt"]),
        ("./A.TXT", ["a.txt"]),
        ("corpus/a.txt", ["a.txt"]),
        ("*.txt", ["a.txt", "reports/d.txt"]),
        ("corpus/*.txt", ["a.txt", "reports/d.txt"]),
        ("b.pdf", ["reports/2024/b.pdf"]),
        ("reports/2025/c[1].pdf", ["reports/2025/C[1].pdf"]),
        ("reports/2024", ["reports/2024/b.pdf"]),
        ("corpus/reports/2024/", ["reports/2024/b.pdf"]),
        ("reports\\2024\\b.pdf", ["reports/2024/b.pdf"]),
        ("résumé.md", ["Re\u0301sume\u0301.md"]),
        ("corpus", list(DOCUMENTS)),
        ("reports/2025/C[1].*", ["reports/2025/C[1].pdf"]),
        ("C[1].pd?", ["reports/2025/C[1].pdf"]),
        ("reports/*.pdf", ["reports/2024/b.pdf", "reports/2025/C[1].pdf"]),
        ("reports/**/*.txt", ["reports/d.txt"]),
        ("reports/**/b.pdf", ["reports/2024/b.pdf"]),
        ("**/reports/**/**/*.TXT", ["reports/d.txt"]),
        ("**/*.txt", ["a.txt", "reports/d.txt"]),
        ("reports/2024/**", ["reports/2024/b.pdf"]),
    ],
)
def test_a_path_a_folder_or_a_pattern(catalog, pattern, meant):
    assert left(catalog, sources=(pattern,)) == meant


@pytest.mark.parametrize(
    ("where", "pattern", "meant"),
    [
        (".", "{corpus}/a.txt", ["a.txt"]),
        (".", "{corpus}/reports/2024", ["reports/2024/b.pdf"]),
        (".", "{corpus}/reports/**/*.txt", ["reports/d.txt"]),
        (".", "{corpus}/", list(DOCUMENTS)),
        (".", "./corpus/reports/2024/", ["reports/2024/b.pdf"]),
        (".", "corpus/../corpus", list(DOCUMENTS)),
        ("corpus", ".", list(DOCUMENTS)),
        ("corpus", "a.txt", ["a.txt"]),
        ("corpus/reports/2025", "../2024", ["reports/2024/b.pdf"]),
        ("corpus/reports/2025", "../*.txt", ["reports/d.txt"]),
        ("corpus/reports/2025", "..", [n for n in DOCUMENTS if n.startswith("reports/")]),
        ("corpus/reports/2025", ".", ["reports/2025/C[1].pdf"]),
        ("corpus/reports", "../../corpus", list(DOCUMENTS)),
        ("corpus/reports", "2024/b.pdf", ["reports/2024/b.pdf"]),
        ("corpus/reports", "reports/2024", ["reports/2024/b.pdf"]),  # as the corpus calls it
    ],
)
def test_a_path_by_the_working_directory(catalog, tmp_path, where, pattern, meant):
    corpus = tmp_path / "corpus"
    (corpus / "reports/2025").mkdir(parents=True)
    filters = Filters(sources=(pattern.format(corpus=corpus),))
    with chdir(tmp_path / where):
        found = scope_of(filters, catalog, corpus=corpus)
    assert [list(DOCUMENTS)[int(id_[1:])] for id_ in found.passages] == meant


@pytest.mark.parametrize("pattern", ["..", "/", "{corpus}2/a.txt", "{corpus}/../a.txt", "x/../.."])
def test_a_path_out_of_the_corpus_means_nothing(catalog, tmp_path, pattern):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    filters = Filters(sources=(pattern.format(corpus=corpus),))
    with chdir(corpus), pytest.raises(UsageError, match="No document is called"):
        scope_of(filters, catalog, corpus=corpus)


def test_too_many_folders_of_any_depth_are_refused_at_once(catalog):
    assert left(catalog, sources=("reports/" + "**/" * 40 + "d.txt",)) == ["reports/d.txt"]
    with pytest.raises(UsageError, match=r"at most 6 times \*\*/"):
        left(catalog, sources=("a/**/" * 30,))


def test_several_patterns_add_up(catalog):
    assert left(catalog, sources=("d.txt", "a.txt", "*.txt")) == ["a.txt", "reports/d.txt"]


@pytest.mark.parametrize(
    ("since", "until", "meant"),
    [
        ("2025", None, ["a.txt", "reports/2025/C[1].pdf"]),
        ("2025-01-08", None, ["a.txt", "reports/2025/C[1].pdf"]),
        ("2025-01-09", None, ["reports/2025/C[1].pdf"]),
        ("2025-03-31", "2025-04", ["reports/2025/C[1].pdf"]),
        (None, "2024-06", ["reports/2024/b.pdf"]),  # known by its year: it may be of June
        ("2024-02-29", "2025-01", ["a.txt", "reports/2024/b.pdf"]),
    ],
)
def test_a_span_of_time(catalog, since, until, meant):
    assert left(catalog, since=since, until=until) == meant
    scope = scope_of(Filters(since=since, until=until), catalog, corpus=CORPUS)
    assert scope.undated == 2


def test_languages_and_all_filters_together(catalog):
    assert left(catalog, languages=("FR", "zh")) == ["reports/2024/b.pdf", "reports/2025/C[1].pdf"]
    assert left(catalog, languages=("fr", "zh"), sources=("*.pdf",), since="2025") == [
        "reports/2025/C[1].pdf"
    ]


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"sources": ("a.txt", "zzz")}, "No document is called 'zzz'; there are a.txt, "),
        ({"sources": ("a.txt,d.txt",)}, "For several, give --source several times."),
        ({"sources": ("{a,d}.txt",)}, "For several, give --source several times."),
        ({"sources": ("[a].txt",)}, "No document is called '[a].txt'"),
        ({"sources": ("\0",)}, "No document is called"),
        ({"languages": ("en", "de")}, "language 'de'; there are en, es, fr, zh."),
        ({"since": "last year"}, "--since 'last year' is no date; expected YYYY, YYYY-MM or"),
        ({"until": "2025-13"}, "--until '2025-13' is no date"),
        ({"until": "2025-02-29"}, "--until '2025-02-29' is no date"),
        ({"since": "２０２５"}, "is no date"),
        ({"since": ""}, "--since is empty"),
        ({"until": " "}, "--until is empty"),
        ({"since": "2025", "until": "2024"}, "--since 2025 is later than --until 2024, so"),
        ({"since": "2026"}, "of 5, their dates go from 2024-01-01 to 2025-03-31."),
        ({"since": "2024", "sources": ("d.txt",)}, "of 1, none has a date in the form YYYY-MM-DD."),
        ({"languages": ("zh",), "sources": ("a.txt",)}, "No passage in the language zh is in"),
    ],
)
def test_what_leaves_nothing_is_told_with_what_there_is(catalog, filters, says):
    with pytest.raises(UsageError) as raised:
        scope_of(Filters(**filters), catalog, corpus=CORPUS)
    assert says in str(raised.value)


def test_the_ranking_is_that_of_everything_without_the_others(tmp_path):
    chunks = [
        passage(f"p{n}", f"Report {n} of city {n % 3} about robots {n % 5}.") for n in range(30)
    ]
    everything, _ = retriever(tmp_path, chunks)
    scope = scope_of(
        Filters(sources=tuple(f"p{n}.txt" for n in range(0, 30, 4))),
        everything.catalog,
        corpus=tmp_path,
    )
    some = replace(everything, scope=scope)
    query = everything.query("robots of city 2 in report 8")
    whole = [(hit.chunk.id, hit.score) for hit in everything.search(query, 30)]
    found = [(hit.chunk.id, hit.score) for hit in some.search(query, 30)]
    assert found == [pair for pair in whole if pair[0] in set(scope.passages)]
    assert len(found) == 8


def test_the_command_says_what_it_was_asked_of(indexed):
    everything = indexed.run("ask", QUESTION, "--json").json
    path = everything["citations"][0]["source"]
    one = indexed.run("ask", QUESTION, "--source", path, "--json")
    assert one.json["answer"] == everything["answer"]
    assert "\n\nAsked of 1 of " in indexed.run("ask", QUESTION, "--source", path).out
    assert everything["scope"] is None
    assert one.json["scope"]["sources"] == [path]
    assert one.json["scope"]["undated"] == 0
    found = indexed.run("search", QUESTION, "--source", path)
    assert re.search(r"\n\nSearched 1 of \d documents\.\n$", found.out)
    found = indexed.run("search", QUESTION, "--source", path, "--json")
    assert {passage["source"] for passage in found.json["passages"]} == {path}
    (indexed.folder / "answer.json").write_text(json.dumps(one.json), "utf-8")
    assert indexed.run("verify", "answer.json").code == 0


def test_a_filter_that_leaves_nothing_is_wrong_usage(indexed):
    ran = indexed.run("ask", QUESTION, "--source", "nothing like it")
    assert (ran.code, ran.out) == (2, "")
    assert "No document is called 'nothing like it'" in ran.err


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--since", ""), "--since is empty; leave it out"),
        (("--until", ""), "--until is empty; leave it out"),
        (("--source", "a.txt", "--source", ""), "--source is empty; leave it out"),
        (("--language", " "), "--language is empty; leave it out"),
        (("--since", "2025-02-30"), "--since '2025-02-30' is no date"),
        (("--since", "2026", "--until", "2025"), "is --since 2025 --until 2026 meant?"),
    ],
)
def test_a_filter_that_is_wrong_by_itself_is_refused_before_anything_is_built(
    tmp_path, command, options, says
):
    desk = Desk(tmp_path)
    desk.write("a.txt", "Nanjing is the capital of Jiangsu.")
    for fresh in ((), ("--fresh",)):
        ran = desk.run(command, QUESTION, *options, *fresh)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err
        assert not desk.index.exists()


def test_dates_go_to_the_latest_last_day(tmp_path):
    with CatalogWriter(tmp_path / "catalog.sqlite") as writer:
        for n, published in enumerate(("2023", "2023-11-30")):
            chunk = passage(f"p{n}", "One is here.", path=f"{n}.txt")
            source = Source(f"{n}.txt", HASH, 12, "text", "1", published=published)
            writer.add_document(Document(source, chunk.text, ()), [chunk], 0)
    with (
        Catalog.open(tmp_path / "catalog.sqlite") as opened,
        pytest.raises(UsageError, match="from 2023-01-01 to 2023-12-31"),
    ):
        scope_of(Filters(since="2024"), opened, corpus=CORPUS)


def test_a_file_that_is_not_in_the_index_is_told_why(desk):
    desk.write("notes/broken.pdf", b"%PDF-1.4 and no more")
    desk.write("notes/picture.png", b"PNG")
    desk.indexed()
    for written in ("broken.pdf", "corpus/notes/broken.pdf", str(desk.corpus / "notes/broken.pdf")):
        ran = desk.run("ask", QUESTION, "--source", written)
        assert (ran.code, ran.out) == (2, "")
        assert "'notes/broken.pdf' could not be read: " in ran.err
        assert "--fresh" not in ran.err
    ran = desk.run("ask", QUESTION, "--source", "notes")
    assert "Nor could 1 more that 'notes' means." in ran.err
    desk.write("new.txt", "Nanjing is the capital of Jiangsu.")
    ran = desk.run("search", QUESTION, "--source", "new.txt")
    assert ran.code == 2
    assert "No document is called 'new.txt'" in ran.err
    assert "since the index was made (new: new.txt): ask with --fresh, or run `askai" in ran.err
    assert desk.run("search", QUESTION, "--source", "new.txt", "--fresh").code == 0
