"""Every object that askai prints for programs is of the form that its schema states, exactly."""

import copy
import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from askai import bench_report, output, render
from askai.alias_mining import Suggestion
from askai.assemble import open_askai
from askai.beir import BeirQuery, Bench
from askai.bench import MEASURES as BENCH_MEASURES
from askai.bench import Outcome
from askai.bench_report import BenchRun, How
from askai.changes import Changes, changes_since
from askai.cite import Context, show, shown_path
from askai.embedders.models import ModelInfo, available
from askai.generations import open_generation
from askai.index_report import IndexReport
from askai.indexing import build
from askai.manifest import Counts, Manifest, StoreState
from askai.measures import Span
from askai.parts import Part, StoredFile
from askai.parts.manifest import PartsManifest
from askai.recipes import open_corpus, recipe
from askai.records import (
    Abstention,
    Answer,
    Chunk,
    Citation,
    Conflict,
    ConflictValue,
    Hit,
    Partial,
    Sentence,
    Skipped,
    Source,
)
from askai.scope import Filters, Scope
from askai.settings import Settings
from askai.spans import SpanScores
from askai.verify import CitationProof, SentenceProof, Verification, verify

REPOSITORY = Path(__file__).parent.parent
NAMES = (
    "answer", "passages", "context", "verification", "index", "status", "models", "beir", "aliases",
    "export",
)  # fmt: skip
SCHEMAS = {
    name: json.loads((resources.files("askai") / f"schemas/{name}.json").read_text("utf-8"))
    for name in NAMES
}


def problems(name, value):
    """What the schema says is wrong with what a program reads."""
    read = json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False))
    return [
        f"{error.json_path}: {error.message[:80]}"
        for error in Draft202012Validator(SCHEMAS[name]).iter_errors(read)
    ]


# --- records made by hand ---------------------------------------------------------------------

SHA, OTHER_SHA = "0" * 64, "f" * 64
GENERATION = "g-20261121T215900-1f2e3d4c"
SOURCE = Source(
    path="a.txt",
    sha256=SHA,
    bytes=40,
    reader="text",
    version="1",
    title="Cities",
    publisher="The Institute",
    author="A. Writer",
    published="2026-01-08",
    language="en",
)
BARE_SOURCE = Source(path="b.md", sha256=OTHER_SHA, bytes=3, reader="markdown", version="1")
CITATION = Citation(1, SOURCE, 0, 11, "Hefei talks", ("Cities", "Hefei"), "¶33", page=4, score=0.9)
BARE_CITATION = Citation(2, BARE_SOURCE, 3, 4, "x")
CHUNK = Chunk(
    id="c1",
    path="a.txt",
    start=0,
    end=11,
    text="Hefei talks",
    context="Cities",
    label="¶33",
    heading=("Cities", "Hefei"),
    language="en",
)
HIT = Hit(CHUNK, 1, 0.95, 0.91, 0.4, dense_rank=1, lexical_rank=2, rerank=3.25)
BARE_HIT = Hit(Chunk("c2", "b.md", 3, 4, "x", ""), 2, -0.1, -0.1, 0.0)
NEAR = StoreState("inverted file", 40_000, 0.992, 200)
MANIFEST = Manifest(
    format=1,
    generation=GENERATION,
    created="2026-11-21T21:59:00+00:00",
    askai="0.1.0",
    fingerprint=SHA,
    settings={"embedder": {"name": "hashing", "fingerprint": "hashing/1/512"}},
    listing=SHA,
    counts=Counts(documents=2, chunks=2, skipped=1, texts=4),
    pace=0.0,
    stores={"passages": StoreState("flat", 2, 1.0, 0), "sentences": NEAR},
    files={},
)
TIMINGS = {
    "question": 1.0, "retrieve": 2.0, "evidence": 0.1, "gate": 0.0, "write": 0.1, "total": 3.2,
}  # fmt: skip
SKIPPED = (Skipped("c.pdf", "no reader for .pdf", 12, 34),)
ANSWERED = Answer(
    question="Who talks?",
    language="en",
    sentences=(Sentence("Hefei talks", (1,)), Sentence("x y", (1, 2))),
    citations=(CITATION, BARE_CITATION),
    passages=(HIT, BARE_HIT),
    conflicts=(Conflict("talk", (ConflictValue("Hefei", 1), ConflictValue("x", 2))),),
    confidence=0.75,
    timings_ms=TIMINGS,
)
ABSTAINED = Answer(
    question="谁？",
    language="zh",
    sentences=(),
    citations=(),
    passages=(HIT,),
    abstention=Abstention("没有答案。", ("Atlantis",), (CITATION, BARE_CITATION), ("c.pdf",)),
    timings_ms=TIMINGS,
)


SCOPE = Scope(Filters(("a.txt",), ("zh",), "2025", None), ("c",), (), documents=1, of=4, undated=2)
PARTIAL = Partial(2, ("postgresql://b.example.org/d",))


def answer_object(answer, **more):
    return output.answer_object(
        answer, manifest=MANIFEST, embedder="hashing", shown=lambda path: f"docs/{path}", **more
    )


def passages_object(*hits, **more):
    return output.passages_object(
        "Who talks?", hits, manifest=MANIFEST, embedder="hashing", shown=lambda path: path, **more
    )


def context_object(**changes):
    whole = Context(
        source=SOURCE,
        start=6,
        end=11,
        before="Hefei ",
        quote="talks",
        after=" a lot",
        heading=("Cities",),
        label="¶33",
    )
    return output.context_object(replace(whole, **changes), shown=lambda path: path)


def proof(status, found_at, detail=""):
    return CitationProof(1, status, "a.txt", 0, 11, "Hefei talks", found_at, detail)


def status_object(changes, *skipped):
    return output.status_object(
        MANIFEST, changes, skipped, corpus="corpus", index="index", model="hashing"
    )


def index_object(*, built, skipped):
    report = IndexReport(GENERATION, built, 2, 2, skipped, {"b.txt": "gb18030"}, 0.12345)
    return output.index_object(report, corpus="corpus", index="index")


MODEL = ModelInfo(
    name="small",
    kind="embedder",
    origin="package small 1.0",
    installed=True,
    bytes=10,
    licence="MIT",
    languages=("en", "many"),
    dim=384,
    default=True,
    note="prepared",
)
PROVED = Verification(
    "Who talks?", "answered", (proof("same", (0, 11)),), (SentenceProof("x", True, ""),)
)
UNPROVED = Verification(
    question="Who talks?",
    status="answered",
    citations=(
        proof("moved", (4, 15), "the quote now stands at 4-15"),
        proof("changed", None, "the source no longer says this"),
        proof("gone", None, "a.txt: no such file"),
    ),
    sentences=(SentenceProof("x", False, "it has no citation"),),
    detail="its answer is not its sentences",
)
PROVED_ABSTENTION = Verification("?", "abstained", (), ())


def bench_run(*outcomes, limit=None, built=True):
    bench = Bench(Path("bench"), tuple(o.query for o in outcomes), 2, 3, 1, SHA, 99, 0)
    report = IndexReport(GENERATION, built, 3, 4, (), {}, 1.25)
    how = How("cache", "both", 5, limit)
    return bench_report.to_dict(BenchRun(bench, how, report, "hashing", outcomes, 0.5))


_FILES = (StoredFile("documents-0.parquet", SHA, 3), StoredFile("passages-0.parquet", SHA, 4))
EXPORTED = PartsManifest(
    "0.1.0", "2026-11-21T21:59:00+00:00", GENERATION, {}, 384, 0.0, Counts(1, 2, 0, 5),
    (Part("0", "hashing/1/512", 1, 2, 3, _FILES),), {},
)  # fmt: skip
MINED = Suggestion(("CXMT", "长鑫存储"), "a.txt", 0, 11)
JUDGED = BeirQuery("q1", "?", answerable=True, relevant={"a": 1}, spans=((Span("a", 0, 1),),))
UNJUDGED = BeirQuery("q2", "?", answerable=False, relevant={})
FOUND = Outcome(JUDGED, dict.fromkeys(BENCH_MEASURES, 0.5), SpanScores(1, 0.25, 0.25))
ASKED = replace(FOUND, answered=True, right=False, would_err=True, confidence=0.75, cosine=0.9)
REFUSED = Outcome(UNJUDGED, answered=False, would_err=True, confidence=0.25, cosine=-0.5)
MADE = [
    ("answer", "answered", answer_object(ANSWERED)),
    ("answer", "answered-bare", answer_object(replace(ANSWERED, conflicts=(), passages=()))),
    ("answer", "abstained", answer_object(ABSTAINED)),
    ("answer", "abstained-bare", answer_object(replace(ABSTAINED, abstention=Abstention("No.")))),
    ("answer", "of-some", answer_object(ANSWERED, scope=SCOPE)),
    ("answer", "partial", answer_object(ABSTAINED, partial=PARTIAL)),
    ("passages", "two", passages_object(HIT, BARE_HIT)),
    ("passages", "of-some", passages_object(HIT, scope=SCOPE)),
    ("passages", "partial", passages_object(HIT, partial=PARTIAL)),
    ("passages", "none", passages_object()),
    ("context", "full", context_object()),
    ("context", "bare", context_object(source=BARE_SOURCE, before="", after="", label="")),
    ("verification", "provable", output.verification_object(PROVED)),
    ("verification", "unprovable", output.verification_object(UNPROVED)),
    ("verification", "abstained", output.verification_object(PROVED_ABSTENTION)),
    ("index", "built", index_object(built=True, skipped=SKIPPED)),
    ("index", "up-to-date", index_object(built=False, skipped=())),
    ("status", "current", status_object(Changes((), (), ()), *SKIPPED)),
    ("status", "changed", status_object(Changes(("a",), ("b",), ("c",), descriptions=True))),
    ("status", "described", status_object(Changes((), (), (), descriptions=True))),
    ("aliases", "two", output.suggestions_object([MINED, replace(MINED, start=5)], shown=str)),
    ("aliases", "none", output.suggestions_object([], shown=str)),
    ("export", "one", output.export_object(EXPORTED, address="s3://bucket/cities")),
    ("models", "one", output.models_object([MODEL])),
    (
        "models",
        "bare",
        output.models_object([replace(MODEL, dim=None, languages=(), licence="", note="")]),
    ),
    ("beir", "retrieval", bench_run(FOUND, limit=1)),
    ("beir", "answers", bench_run(ASKED, REFUSED, built=False)),
    ("beir", "unanswerable", bench_run(REFUSED)),
]  # fmt: skip
made = pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, _, v in MADE], ids=[f"{n}-{i}" for n, i, _ in MADE]
)


@made
def test_what_is_made_by_hand_is_as_its_schema_says(name, value):
    assert problems(name, value) == []


# --- the schemas themselves -------------------------------------------------------------------

schemas = pytest.mark.parametrize("name", NAMES)


def objects(schema, where="$"):
    """Every subschema that describes an object, with where it stands."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield where, schema
        for key, inner in schema.items():
            yield from objects(inner, f"{where}.{key}")
    elif isinstance(schema, list):
        for i, inner in enumerate(schema):
            yield from objects(inner, f"{where}[{i}]")


def looseness(schema):
    return [
        where
        for where, found in objects(schema)
        if found.get("additionalProperties") is not False
        or sorted(found.get("required", [])) != sorted(found["properties"])
    ]


@schemas
def test_a_schema_is_valid_and_says_what_it_is(name):
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == schema["properties"]["schema"]["const"] == f"askai.{name}/1"
    command = {
        "context": "show", "passages": "search", "answer": "ask", "verification": "verify",
        "beir": "eval --beir DIR",
    }  # fmt: skip
    assert f"`askai {command.get(name, name)} --json` prints" in schema["title"]


@schemas
def test_every_object_is_closed_and_every_field_required(name):
    assert looseness(SCHEMAS[name]) == []


@schemas
def test_a_loosened_schema_is_caught(name):
    for i, _ in enumerate(objects(SCHEMAS[name])):
        for loosen in ("additionalProperties", "required"):
            schema = copy.deepcopy(SCHEMAS[name])
            del list(objects(schema))[i][1][loosen]
            assert len(looseness(schema)) == 1


@schemas
def test_every_definition_is_used_and_shared_ones_are_the_same(name):
    schema = SCHEMAS[name]
    for definition, found in schema.get("$defs", {}).items():
        assert f'"#/$defs/{definition}"' in json.dumps(schema)
        for other in {"answer", "passages", "index", "status"} - {name}:
            assert SCHEMAS[other].get("$defs", {}).get(definition, found) == found or (
                (name, definition) == ("verification", "citation")
                or (name, definition) == ("verification", "sentence")
            )


def places(value, path=()):
    """The path of every value inside a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from places(value[key], (*path, key))


def changed(value, path, change):
    """A copy in which `change` was applied to the container of `path` and its last key."""
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return value


@made
def test_a_field_that_is_missing_added_or_of_another_type_is_caught(name, value):
    for path in places(value):
        if isinstance(path[-1], str):
            assert problems(name, changed(value, path, lambda d, key: d.pop(key))), path
            added = changed(value, path, lambda d, key: d.update({f"{key} too": 1}))
            assert problems(name, added), path
        wrong = changed(value, path, lambda d, key: d.__setitem__(key, {"unexpected": [None]}))
        assert problems(name, wrong), path


MAY_BE_NULL = {
    "answer": {"title", "publisher", "published", "page", "label", "language", "rerank", "dense",
               "lexical", "since", "until"},
    "passages": {"label", "language", "rerank", "dense", "lexical", "since", "until"},
    "context": {"title", "label"},
    "verification": set(),
    "index": set(),
    "status": set(),
    "models": {"dim"},
    "aliases": set(),
    "export": set(),
    "beir": {"limit", "measures", "spans", "aurc", "right"},
}  # fmt: skip


@made
def test_only_what_may_be_unknown_may_be_null(name, value):
    for path in places(value):
        if not isinstance(path[-1], str) or path[-1] == "schema":
            continue
        inner = value
        for key in path:
            inner = inner[key]
        nothing = changed(value, path, lambda d, key: d.update({key: None}))
        known = path[-1] in MAY_BE_NULL[name] and "scores" not in path and len(path) > 1
        top = (name == "context" and path[-1] in MAY_BE_NULL[name]) or path == ("answers",)
        top = top or path in {("scope",), ("partial",)}
        reranked = path[-2:] == ("scores", "rerank")
        assert (problems(name, nothing) == []) == (known or top or reranked or inner is None), path


CONTRADICTIONS = [
    ("answer", {"status": "abstained"}, "answered"),
    ("answer", {"answer": None}, "answered"),
    ("answer", {"sentences": []}, "answered"),
    ("answer", {"citations": []}, "answered"),
    ("answer", {"abstention": answer_object(ABSTAINED)["abstention"]}, "answered"),
    ("answer", {"status": "answered"}, "abstained"),
    ("answer", {"answer": "Hefei talks [1]"}, "abstained"),
    ("answer", {"sentences": answer_object(ANSWERED)["sentences"]}, "abstained"),
    ("answer", {"abstention": None}, "abstained"),
    ("answer", {"sentences": [{"text": "Hefei talks", "citations": []}]}, "answered"),
    ("answer", {"language": "de"}, "answered"),
    ("verification", {"provable": True}, "unprovable"),
    ("status", {"up_to_date": True}, "changed"),
    ("status", {"up_to_date": True}, "described"),
    ("status", {"up_to_date": False}, "current"),
    ("index", {"generation": "../elsewhere"}, "built"),
    ("index", {"documents": 0}, "built"),
    ("beir", {"legs": "sparse"}, "retrieval"),
    ("beir", {"items": []}, "retrieval"),
    ("beir", {"documents": 0}, "retrieval"),
]


@pytest.mark.parametrize(
    ("name", "change", "of"),
    CONTRADICTIONS,
    ids=[f"{of}-{next(iter(change))}" for _, change, of in CONTRADICTIONS],
)
def test_what_contradicts_itself_is_caught(name, change, of):
    (value,) = (v for n, i, v in MADE if (n, i) == (name, of))
    assert problems(name, value | change)


# --- what the values are ------------------------------------------------------------------------


def test_an_answer_says_where_its_quotes_stand():
    value = answer_object(ANSWERED)
    assert value["answer"] == "Hefei talks [1] x y [1] [2]"
    assert value["citations"][0] == {
        "n": 1,
        "source": "docs/a.txt",
        "sha256": SHA,
        "reader": "text/1",
        "encoding": "utf-8",
        "start": 0,
        "end": 11,
        "quote": "Hefei talks",
        "title": "Cities",
        "publisher": "The Institute",
        "published": "2026-01-08",
        "page": 4,
        "heading": ["Cities", "Hefei"],
        "label": "¶33",
        "score": 0.9,
    }
    assert value["citations"][1]["label"] is None
    assert value["conflicts"] == [
        {
            "about": "talk",
            "values": [{"value": "Hefei", "citation": 1}, {"value": "x", "citation": 2}],
        }
    ]
    assert value["passages"][0]["scores"] == {
        "dense": 0.91, "lexical": 0.4, "rerank": 3.25, "final": 0.95,
    }  # fmt: skip
    assert value["passages"][1]["ranks"] == {"dense": None, "lexical": None}
    assert value["index"] == {
        "generation": GENERATION, "fingerprint": SHA, "embedder": "hashing",
    }  # fmt: skip


@pytest.mark.parametrize(
    "conflict",
    [
        {"about": "Pony.ai: location", "values": [{"value": "Shanghai", "citation": 1}]},
        {"about": "", "values": [{"value": "a", "citation": 1}, {"value": "b", "citation": 2}]},
        {"about": "x", "values": [{"value": "", "citation": 1}, {"value": "b", "citation": 2}]},
        {"about": "x", "values": [{"value": "a", "citation": 0}, {"value": "b", "citation": 2}]},
        {"about": "x", "values": [{"value": "a"}, {"value": "b", "citation": 2}]},
    ],
    ids=["one-value", "about-nothing", "no-value", "no-such-citation", "uncited"],
)
def test_a_conflict_is_of_two_values_or_more_each_with_its_citation(conflict):
    value = answer_object(ANSWERED)
    assert not problems("answer", value)
    (problem,) = problems("answer", value | {"conflicts": [conflict]})
    assert problem.startswith("$.conflicts[0]")


def test_a_person_reads_first_that_the_sources_disagree():
    values = (ConflictValue("Shanghai", 1), ConflictValue("Guang\x1bzhou\n", 2))
    found = replace(ANSWERED, conflicts=(Conflict("Pony.ai: location", values),))
    shown = render.answer(found, shown=lambda path: path).splitlines()
    assert shown[:3] == [
        "The sources disagree. Pony.ai: location: Shanghai [1]; Guang zhou [2]",
        "Hefei talks [1] x y [1] [2]",
        "",
    ]


def test_an_answer_without_conflicts_does_not_speak_of_them():
    shown = render.answer(replace(ANSWERED, conflicts=()), shown=lambda path: path)
    assert shown.startswith("Hefei talks [1]")


def test_what_was_asked_stands_below_an_answer_and_right_below_the_reason_of_a_refusal():
    line = "Asked of 1 of 4 documents (left out: 2 without a date in the form YYYY-MM-DD)."
    answered = render.answer(ANSWERED, shown=str, scope=SCOPE)
    assert answered == f"{render.answer(ANSWERED, shown=str)}\n\n{line}"
    refused = replace(ABSTAINED, language="en")
    reason, asked, *rest = render.answer(refused, shown=str, scope=SCOPE).splitlines()
    assert asked == line
    assert [reason, *rest] == render.answer(refused, shown=str).splitlines()


def test_that_a_shard_was_not_asked_stands_where_what_was_asked_does():
    line = (
        "Incomplete: 1 of 2 parts of the index could not be asked (postgresql://b.example.org/d)."
    )
    for found in (ANSWERED, replace(ABSTAINED, language="en")):
        lines = render.answer(found, shown=str, partial=PARTIAL).splitlines()
        assert lines[-1 if found is ANSWERED else 1] == line
        both = render.answer(found, shown=str, scope=SCOPE, partial=PARTIAL).splitlines()
        assert both[both.index(line) - 1].startswith("Asked of 1 of 4 documents")
    for hits in ([HIT], []):
        found = render.passages(hits, shown=str, explain=False, partial=PARTIAL)
        assert found == f"{render.passages(hits, shown=str, explain=False)}\n\n{line}"


@pytest.mark.parametrize(
    ("language", "closest", "asked", "disagree"),
    [
        ("zh", "最接近的内容：", "只查了 4 份文件中的 1 份（另有 2", "各来源说法不一"),
        ("fr", "Ce qui s’en approche le plus :", "Question posée à 1", "Les sources ne"),
        ("es", "Lo más cercano:", "Preguntado a 1 de 4 documentos", "Las fuentes no"),
        ("de", "What comes closest:", "Asked of 1 of 4 documents", "The sources disagree. talk"),
    ],
)  # fmt: skip
def test_what_stands_beside_quotations_is_in_the_language_of_the_question(
    language, closest, asked, disagree
):
    refused = render.answer(replace(ABSTAINED, language=language), shown=str, scope=SCOPE)
    assert closest in refused.splitlines()
    assert asked in refused
    answered = render.answer(replace(ANSWERED, language=language), shown=str)
    assert answered.startswith(disagree)


@pytest.mark.parametrize(
    ("undated", "told"),
    [(0, ""), (1, " (left out: 1 without a date in the form YYYY-MM-DD)")],
)
def test_what_was_searched_stands_below_the_passages(undated, told):
    scope = replace(SCOPE, undated=undated)
    for hits in ([HIT], []):
        found = render.passages(hits, shown=str, explain=False, scope=scope)
        alone = render.passages(hits, shown=str, explain=False)
        assert found == f"{alone}\n\nSearched 1 of 4 documents{told}."


def test_an_abstention_names_the_files_as_a_user_can_open_them():
    value = answer_object(ABSTAINED)
    assert value["abstention"]["unreadable"] == ["docs/c.pdf"]
    assert [c["source"] for c in value["abstention"]["closest"]] == ["docs/a.txt", "docs/b.md"]


def test_a_skipped_file_is_printed_without_what_only_the_program_needs():
    assert index_object(built=True, skipped=SKIPPED)["skipped"] == [
        {"path": "c.pdf", "reason": "no reader for .pdf"}
    ]


# --- the whole program over the repository's own documents ------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    index = tmp_path_factory.mktemp("repository") / "index"
    return Settings(corpus=str(REPOSITORY / "corpus"), index=str(index), model="hashing")


@pytest.fixture(scope="module")
def report(settings):
    return build(open_corpus(settings), settings.index_dir, recipe(settings))


@pytest.fixture(scope="module")
def opened(settings, report):
    with open_askai(settings) as askai:
        yield askai


def shown(path):
    return shown_path(path, corpus=REPOSITORY / "corpus", folder=REPOSITORY)


# Sentences of the documents, which a model that counts words finds.
VERBATIM = (
    """Midstream, the sector is anchored by intensive research and development (R&D) efforts,
    specialised training frameworks and sophisticated Machine Learning Operations (MLOps)
    platforms, which are crucial for the deployment and management of scalable AI models.""",
    """Nanjing ranks fifth in the world in the “2024 Nature Index – Research City” and ninth in the
    world’s science and technology cluster in the “2024 Global Innovation Index”.""",
    "下游作为中国优势最为显著的环节，已在机器人、自动驾驶与智能制造等领域广泛落地",
)
UNANSWERABLE = ("Who is the mayor of Atlantis?", "谁是亚特兰蒂斯的市长？", "Qui dirige Zorglub ?")

QUESTIONS = ("sentence", "years", "zh-clause", "missing", "zh-far", "fr-missing")


@pytest.mark.parametrize("question", VERBATIM + UNANSWERABLE, ids=QUESTIONS)
def test_an_answer_over_the_repository(opened, question):
    answer = opened.answerer.ask(question, k=5)
    value = output.answer_object(
        answer, manifest=opened.manifest, embedder=opened.embedder.name, shown=shown
    )
    assert problems("answer", value) == []
    assert value["status"] == ("answered" if question in VERBATIM else "abstained")
    assert len(value["passages"]) == 5
    closest = value["abstention"]["closest"] if value["abstention"] else value["citations"]
    assert closest
    for citation in closest:
        file = REPOSITORY / citation["source"]
        with file.open(encoding="utf-8", newline="") as text:
            assert text.read()[citation["start"] : citation["end"]] == citation["quote"]
    proved = verify(value, corpus=opened.corpus, folders=(REPOSITORY,))
    assert problems("verification", output.verification_object(proved)) == []
    assert proved.provable


@pytest.mark.parametrize("query", ["chips", "zzz qqq", "南京"])
def test_passages_over_the_repository(opened, query):
    hits = opened.retriever.search(opened.retriever.query(query), 20)
    value = output.passages_object(
        query, hits, manifest=opened.manifest, embedder=opened.embedder.name, shown=shown
    )
    assert problems("passages", value) == []
    assert [p["rank"] for p in value["passages"]] == list(range(1, 21))


def test_contexts_over_the_repository(opened):
    for source in opened.catalog.sources():
        document = opened.catalog.document(source.path)
        labels = {m.label for m in document.marks if m.kind in ("paragraph", "heading") and m.label}
        for fragment in ["", "char=5-9", *sorted(labels)]:
            value = output.context_object(show(document, fragment), shown=shown)
            assert problems("context", value) == [], fragment


def test_the_index_over_the_repository(settings, report):
    again = build(open_corpus(settings), settings.index_dir, recipe(settings))
    assert (report.built, again.built) == (True, False)
    for found in (report, again):
        value = output.index_object(found, corpus=settings.corpus, index=settings.index)
        assert problems("index", value) == []


def test_the_status_over_the_repository(settings, report):
    corpus = open_corpus(settings)
    with open_generation(settings.index_dir) as generation:
        changes = changes_since(corpus, generation, (), corpus.list())
    value = output.status_object(
        generation.manifest,
        changes,
        (),
        corpus=settings.corpus,
        index=settings.index,
        model=settings.model,
    )
    assert problems("status", value) == []
    assert value["up_to_date"] is True


def test_the_models_that_are_here():
    value = output.models_object(available())
    assert problems("models", value) == []
    assert "hashing" in {model["name"] for model in value["models"]}
