# ruff: noqa: INP001, T201
"""How well the text of PDFs comes out, against the texts that the samples give.

    python tools/pdf_quality.py [--compare] [folder of the samples]

`characters` is F1 over the multisets of characters, blanks left out: is anything lost or made up?
`words` is F1 over the multisets of words, each weighing its characters: are words whole, with
neither lost blanks nor hyphens left at the ends of lines? `order` is the share of the triples of
words which occur once in both texts that also stand in the same order in both (the longest
increasing subsequence). `--compare` adds pypdf's plain and layout text, and PDFium's plain text.

What the given texts have as marks (lines of dashes, pipes, stars, rules of tables) and what the
PDFs draw for the eye alone (dotted leaders) counts in none of them.
"""

import lzma
import re
import sys
import time
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from askai.errors import ReadError
from askai.readers.pdf import PdfReader

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
GIVEN = {
    "debian/debian-policy.en.pdf": "debian/debian-policy.en.txt.xz",
    "debian/debian-faq.en.pdf": "debian/debian-faq.en.txt.xz",
    "debian/debian-faq.fr.pdf": "debian/debian-faq.fr.txt.xz",
    "debian/maint-guide.es.pdf": "debian/maint-guide.es.txt.xz",
    "sample-files/multicolumn.pdf": "sample-files/multicolumn.expected-layout.txt",
    "docling/pdf/2305.03393v1-pg9.pdf": "docling/pdf/2305.03393v1-pg9.groundtruth.md",
    "docling/pdf/code_and_formula.pdf": "docling/pdf/code_and_formula.groundtruth.md",
    "docling/pdf/redp5110_sampled.pdf": "docling/pdf/redp5110_sampled.groundtruth.md",
    "docling/pdf/right_to_left_01.pdf": "docling/pdf/right_to_left_01.groundtruth.md",
    "pypdf/crazyones.pdf": "pypdf/crazyones.txt",
}
_MARKS = re.compile(
    r"<!--.*?-->|\[\d{1,3}\](?=\s*$)|[-=*~^_#+|`]{2,}|(?<!\S)[*#|+•◦-]+(?!\S)|(?:\s?[.·]){4,}",
    re.DOTALL | re.MULTILINE,
)
_RIGHT = 70  # characters before the right column of multicolumn.expected-layout.txt
_WORD = re.compile(r"\w+")
_FORM = re.compile(r"(?<=[^\W\d_])-\s*\n\s*(?=[a-z])")


def normal(text: str) -> str:
    """Text without marks, in one Unicode form."""
    return _MARKS.sub(" ", unicodedata.normalize("NFKC", text))


def overlap(one: Counter[str], other: Counter[str]) -> float:
    """F1 of two multisets of strings, each weighing its characters."""

    def weight(found: Counter[str]) -> int:
        return sum(len(string) * count for string, count in found.items())

    total = weight(one) + weight(other)
    return 2 * weight(one & other) / total if total else 1.0


def order(found: list[str], given: list[str]) -> float:
    """The share of the triples of words, once in each, whose order is the same."""

    def places(words: list[str]) -> dict[tuple[str, ...], int]:
        triples = list(zip(words, words[1:], words[2:], strict=False))
        once = {triple for triple, count in Counter(triples).items() if count == 1}
        return {triple: i for i, triple in enumerate(triples) if triple in once}

    in_found, in_given = places(found), places(given)
    sequence = [in_given[triple] for triple in in_found if triple in in_given]
    tails: list[int] = []
    for place in sequence:
        i = bisect_left(tails, place)
        tails[i : i + 1] = [place]
    return len(tails) / len(sequence) if sequence else 0.0


def measured(text: str, given: str) -> tuple[float, float, float]:
    """(characters, words, order)."""
    found_words, given_words = _WORD.findall(normal(text)), _WORD.findall(normal(given))
    return (
        overlap(Counter("".join(found_words)), Counter("".join(given_words))),
        overlap(Counter(found_words), Counter(given_words)),
        order(found_words, given_words),
    )


def given_text(path: Path) -> str:
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
    if path.name.endswith("expected-layout.txt"):
        text = by_columns(text)
    return _FORM.sub("", text) if path.suffix == ".txt" else text


def by_columns(text: str) -> str:
    """The text of a page that was laid out in two columns, one column after the other."""
    left, right = [], []
    for line in text.splitlines():
        left.append(line[:_RIGHT].strip() if len(line) > _RIGHT + 5 else line.strip())
        right.append(line[_RIGHT:].strip() if len(line) > _RIGHT + 5 else "")
    *left, number = [line for line in left if line]  # the page's number comes last
    return "\n".join([*left, *right, number])


def first_page(data: bytes) -> bytes:
    from pypdf import PdfReader as Pages  # noqa: PLC0415
    from pypdf import PdfWriter  # noqa: PLC0415

    writer, made = PdfWriter(), BytesIO()
    writer.add_page(Pages(BytesIO(data)).pages[0])
    writer.write(made)
    return made.getvalue()


def ours(data: bytes) -> tuple[str, tuple[float, ...]]:
    reading = PdfReader().read(data)
    return reading.text, reading.pages


def pypdf_plain(data: bytes) -> tuple[str, tuple[float, ...]]:
    import pypdf  # noqa: PLC0415

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(data)).pages), ()


def pypdf_layout(data: bytes) -> tuple[str, tuple[float, ...]]:
    import pypdf  # noqa: PLC0415

    pages = pypdf.PdfReader(BytesIO(data)).pages
    return "\n".join(page.extract_text(extraction_mode="layout") for page in pages), ()


def pdfium_plain(data: bytes) -> tuple[str, tuple[float, ...]]:
    import pypdfium2  # noqa: PLC0415

    document = pypdfium2.PdfDocument(data)
    texts = [page.get_textpage().get_text_range() for page in document]
    return "\n".join(texts).replace("\ufffe\r\n", "").replace("\ufffe", ""), ()


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--compare"]
    samples = Path(arguments[0]) if arguments else SAMPLES
    ways: dict[str, Callable[[bytes], tuple[str, tuple[float, ...]]]] = {"askai": ours}
    if "--compare" in sys.argv:
        import logging  # noqa: PLC0415

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        ways |= {"pypdf": pypdf_plain, "pypdf layout": pypdf_layout, "PDFium": pdfium_plain}
    print(f"{'sample':36} {'by':13} characters words order seconds pages without text")
    for name, given in GIVEN.items():
        if not (samples / name).exists():
            print(f"{name:36} is not there")
            continue
        data, wanted = (samples / name).read_bytes(), given_text(samples / given)
        if given.endswith("expected-layout.txt"):
            data = first_page(data)  # the given text has no more
        for way, read in ways.items():
            started = time.perf_counter()
            try:
                text, pages = read(data)
            except ReadError as error:
                print(f"{name:36} {way:13} {error}")
                continue
            seconds = time.perf_counter() - started
            characters, words, kept = measured(text, wanted)
            empty = [str(i) for i, quality in enumerate(pages, 1) if quality == 0]
            line = f"{name:36} {way:13} {characters:10.3f} {words:5.3f} {kept:5.3f} {seconds:7.1f}"
            print(f"{line} {' '.join(empty) or '-'}", flush=True)


if __name__ == "__main__":
    main()
