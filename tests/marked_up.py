"""What the tests of the readers of marked-up formats share: real files, archives made on the spot,
and a comparison with a text that says what a file holds."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from askai.errors import ReadError
from askai.readers import Reader, Reading
from askai.tables import cells
from test_readers import check_contract, spans

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"


def sample(name: str) -> bytes:
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip(f"no {path}: the real files are kept beside the repository")
    return path.read_bytes()


def read(reader: Reader, data: bytes) -> Reading:
    """A reading that keeps the contract of the seam and is the same twice."""
    reading = reader.read(data)
    check_contract(reading)
    assert reading == reader.read(data)
    return reading


def read_or_refused(reader: Reader, data: bytes) -> Reading | None:
    """For bytes that may be anything: nothing but a reading or a ReadError comes of them."""
    try:
        reading = reader.read(data)
    except ReadError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reading is as good
        return None
    check_contract(reading)
    return reading


def texts(reading, kind):
    return [text for _, text in spans(reading, kind)]


def zipped(members: dict[str, bytes | str], *, packed: bool = True) -> bytes:
    file = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, how)
    return file.getvalue()


def words_found(reading: Reading, truth: str) -> float:
    """The share of a Markdown text's words that a reading has."""
    truth = re.sub(r"<!--.*?-->|\]\([^)]*\)|[\\*_~#|`\[\]!]", " ", truth)
    wanted = re.findall(r"\w+", truth)
    have = re.findall(r"\w+", reading.text)
    for word in have:
        if word in wanted:
            wanted.remove(word)
    return 1 - len(wanted) / len(re.findall(r"\w+", truth))


def rows_of(truth: str) -> list[list[str]]:
    """The rows of a Markdown text's tables, cell by cell, without emphasis and closing blanks."""
    rows = [
        [re.sub(r"[*_~]| (?=[,.])", "", cell).strip() for cell in cells(line)]
        for line in truth.splitlines()
        if line.startswith("|") and not re.fullmatch(r"[| -]+", line)
    ]
    return [trimmed(row) for row in rows if any(row)]


def rows_read(reading: Reading) -> list[list[str]]:
    return [
        trimmed(cells(reading.text[m.start : m.end] + "\t"))
        for m in reading.marks
        if m.kind in ("table_header", "table_row")
    ]


def trimmed(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row = row[:-1]
    return row
