"""What an answer prints of its evidence: the fewest spans, in reading order, rows with columns."""

from dataclasses import replace

import numpy as np
import pytest

from askai.records import Chunk
from askai.retrieve import Query
from askai.seams import load
from askai.tokens import tokens
from askai.writers import WRITERS, printed
from small import passage, unit


def query(*terms):
    """A question of these terms; a term may be several names, divided by |."""
    view = tuple(tuple(tokens(name)[0] for name in term.split("|")) for term in terms)
    text = " ".join(terms)
    return Query(text, "en", text, (view,), np.ones(1, dtype=np.float32))


@pytest.fixture
def write():
    """write(terms, *units): the texts of an answer of the extractive writer."""
    writer = load("writer", WRITERS, "extractive")()

    def written(terms, *evidence):
        drafted = writer.write(query(*terms), evidence)
        for text, units in drafted:
            assert [text] == [printed(carrier) for carrier in units]
        return [text for text, _ in drafted]

    return written


def sentences(*texts, path="a.txt"):
    """Units of one passage, in order, all with the same score."""
    whole, spans = "", []
    for text in texts:
        spans.append((len(whole), len(whole) + len(text)))
        whole += f"{text} "
    chunk = replace(passage("a", whole), path=path, units=tuple(spans))
    return [unit(chunk, n=n) for n in range(len(spans))]


def row(text, header, *, indent=0, start=0):
    """The unit of a table row, which leaves out `indent` characters of it."""
    chunk = Chunk(
        id="row",
        path="a.txt",
        start=start,
        end=start + len(text),
        text=text,
        context="Table 1",
        kind="table_row",
        header=tuple(header),
        units=((start + indent, start + len(text)),),
    )
    return unit(chunk)


# --- one unit ---------------------------------------------------------------------------------

ROWS = [
    ("tabs", "Hefei\tVoice AI\tiFLYTEK", ("City", "Strength", "Firms"), 0,
     "Hefei (Strength: Voice AI; Firms: iFLYTEK)"),
    ("pipes", "| Hefei | Voice AI |", ("City", "Strength"), 0, "Hefei (Strength: Voice AI)"),
    ("empty-first-cell", "\tWuhan\tRobots", ("Region", "City", "Strength"), 1,
     "Wuhan (Strength: Robots)"),
    ("two-empty-cells", "\t\tWuhan\tRobots", ("Nation", "Region", "City", "Strength"), 2,
     "Wuhan (Strength: Robots)"),
    ("empty-first-cell-piped", "|  | Wuhan | Robots |", ("Region", "City", "Strength"), 0,
     "Wuhan (Strength: Robots)"),
    ("empty-inner-cell", "Hefei\t\tiFLYTEK", ("City", "Strength", "Firms"), 0,
     "Hefei (Firms: iFLYTEK)"),
    ("one-cell", "Hefei\t\t", ("City", "Strength", "Firms"), 0, "Hefei"),
    ("more-cells-than-columns", "Hefei\tAI\textra", ("City", "Strength"), 0,
     "Hefei (Strength: AI; extra)"),
    ("no-columns", "Hefei\tAI", (), 0, "Hefei (AI)"),
    ("blanks-in-cells", "Hefei \t Voice   AI ", ("City", "Strength"), 0,
     "Hefei (Strength: Voice AI)"),
    ("escaped-pipe", r"| a \| b | c |", ("X", "Y"), 0, "a | b (Y: c)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "header", "indent", "wanted"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_row_is_printed_with_its_columns(text, header, indent, wanted):
    found = row(text, header, indent=indent, start=40)
    assert printed(found) == wanted
    assert found.quote == text[indent:]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It  is\n wrapped\tat a width.", "It is wrapped at a width."),
        ("non\u00a0breaking\u3000blanks", "non breaking blanks"),
        ("中文没有空格。", "中文没有空格。"),
        ('He said "yes".', 'He said "yes".'),
    ],
    ids=["line-end", "wide-blanks", "han", "quotes"],
)
def test_blanks_are_one(text, wanted):
    assert printed(unit(passage("a", text))) == wanted


# --- which units, and in what order -------------------------------------------------------------


def test_one_unit_that_holds_all_terms_is_enough(write):
    best, other = sentences("Hefei makes chips.", "Hefei makes robots.")
    assert write(["hefei", "chips"], best, other) == ["Hefei makes chips."]


def test_a_further_unit_must_hold_a_further_term(write):
    chips, again, robots = sentences("Hefei chips.", "More Hefei chips.", "The robots.")
    assert write(["hefei", "chips", "robots"], chips, again, robots) == [
        "Hefei chips.",
        "The robots.",
    ]


def test_a_name_in_another_script_is_the_same_term(write):
    one, other = sentences("Hefei is old.", "合肥很老。")
    assert write(["hefei|合肥"], one, other) == ["Hefei is old."]
    assert write(["hefei", "合肥"], one, other) == ["Hefei is old.", "合肥很老。"]


def test_a_unit_holds_the_terms_of_the_view_that_it_fits_best():
    """Of a question and its translation; the terms of the one are none of the other."""
    writer = load("writer", WRITERS, "extractive")()
    one, other = sentences("Hefei chips.", "Robots.")
    asked = replace(query("合肥", "芯片"), views=(query("robots").terms, query("hefei").terms))
    assert len(writer.write(asked, (one, other))) == 2
    assert len(writer.write(replace(asked, views=asked.views[1:]), (one, other))) == 1


def test_a_further_unit_must_be_nearly_as_good(write):
    one, other = sentences("Hefei chips.", "The robots.")
    assert write(["hefei", "robots"], one, replace(other, score=one.score - 1)) == ["Hefei chips."]


def test_at_most_three_sentences(write):
    letters = ["alpha", "beta", "gamma", "delta", "epsilon"]
    units = sentences(*(f"The {letter}." for letter in letters))
    assert write(letters, *units) == ["The alpha.", "The beta.", "The gamma."]


def test_sentences_stand_in_reading_order(write):
    first, second, third = sentences("The alpha.", "The beta.", "The gamma.")
    assert write(["alpha", "beta", "gamma"], third, first, second) == [
        "The alpha.",
        "The beta.",
        "The gamma.",
    ]


def test_the_source_of_the_best_comes_first_and_keeps_together(write):
    a1, a2 = sentences("The alpha.", "The beta.", path="a.txt")
    *_, z1 = sentences("A sentence before it that is long.", "The gamma.", path="z.txt")
    assert write(["alpha", "beta", "gamma"], z1, a2, a1) == [
        "The gamma.",
        "The alpha.",
        "The beta.",
    ]


def test_no_quote_comes_twice(write):
    """Two documents that say the same word for word are one sentence of the answer."""
    (one,) = sentences("Hefei makes chips.", path="a.txt")
    (other,) = sentences("Hefei makes chips.", path="b.txt")
    assert write(["hefei", "zzz"], one, other) == ["Hefei makes chips."]


def test_no_part_of_a_source_comes_twice(write):
    chunk = passage("a", "Hefei makes chips and robots.")
    whole = unit(chunk)
    part = unit(replace(chunk, id="b", units=((0, 24),)))
    for evidence in ((whole, part), (part, whole)):
        assert len(write(["hefei", "robots", "chips"], *evidence)) == 1


def test_a_row_among_sentences(write):
    found = row("Hefei\tVoice", ("City", "Strength"), start=100)
    (sentence,) = sentences("Robots of Wuhan.", path="a.txt")
    assert write(["hefei", "robots"], found, sentence) == [
        "Robots of Wuhan.",
        "Hefei (Strength: Voice)",
    ]
