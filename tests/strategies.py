"""Documents for the property tests: four scripts, with the structures that readers look for."""

from hypothesis import strategies as st

SCRIPTS = {
    "latin": "aáàâçéèêëíïñóôöúüœßABCÉÑ'’“”«» ",
    "han": "中国人工智能算力网行动计划南京深圳（）《》“”",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي ",
    "astral": "😀🤖🧿🫠🇨🇳👩‍🔬𠮷𝔸é ",
}
_ENDS = {"latin": ".!?…", "han": "。！？；", "arabic": ".؟!", "astral": ".!😀"}
_BLANK_LINES = ("\n", "\n\n", "\n\n\n", "\r\n", "\r\n\r\n", "\r", "\n \t\n", "\n\u3000\n")

words = st.sampled_from(sorted(SCRIPTS)).flatmap(
    lambda script: st.text(SCRIPTS[script], min_size=1, max_size=12)
)


@st.composite
def sentences(draw, *, least=1, most=60):
    script = draw(st.sampled_from(sorted(SCRIPTS)))
    body = draw(st.text(SCRIPTS[script], min_size=least, max_size=most))
    note = draw(st.sampled_from(("", "", "", "¹", "¹³", "[^1]", "*")))
    return body + draw(st.sampled_from(_ENDS[script])) + note


@st.composite
def paragraphs(draw):
    number = draw(st.sampled_from(("", "", "1. ", "33. ", "7、")))
    count = draw(st.integers(1, 4))
    return number + " ".join(draw(sentences()) for _ in range(count))


@st.composite
def long_lines(draw):
    """A line over the budget: of words, of one word, or of one word after another script's."""
    unit = draw(words)
    head = draw(st.sampled_from(("", "word " * 60, "中" * 300)))
    return head + unit * draw(st.integers(40, 400))


@st.composite
def bullets(draw):
    mark = draw(st.sampled_from(("• ", "- ", "  • ", "* ", "a) ")))
    items = draw(st.lists(sentences(), min_size=1, max_size=6))
    return "\n".join(mark + item for item in items)


@st.composite
def tables(draw):
    columns = draw(st.integers(2, 5))
    cell = words.map(lambda word: word.strip() or "x")
    rows = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), max_size=5))
    header = draw(st.lists(cell, min_size=columns, max_size=columns))
    title = draw(st.sampled_from(("", "TABLE 1 CITIES\n\n", "Table 2 Firms\n")))
    if draw(st.booleans()):
        lines = ["\t".join(row) for row in (header, *rows)]
    else:
        dashes = ["---"] * columns
        lines = ["| " + " | ".join(row) + " |" for row in (header, dashes, *rows)]
    return title + "\n".join(lines)


notes = st.builds(
    lambda mark, sentence: f"{mark} {sentence}",
    st.sampled_from(("¹", "¹³", "[^1]:", "[2]", "*")),
    sentences(),
)
headings = st.builds(
    lambda mark, title: f"{mark}{title}",
    st.sampled_from(("", "# ", "## ", "1. ", "2. ")),
    words,
)
fences = paragraphs().map(lambda text: f"```\n# {text}\n```")


@st.composite
def documents(draw):
    """The text of a document, with at least one character that is not a blank."""
    block = st.one_of(paragraphs(), bullets(), tables(), notes, headings, fences, long_lines())
    parts = draw(st.lists(block, min_size=1, max_size=8))
    front = draw(st.sampled_from(("", "", "\ufeff", "\n\n", "\ufeff\n")))
    return front + "".join(part + draw(st.sampled_from(_BLANK_LINES)) for part in parts) + "."
