# ruff: noqa: INP001, T201, S311
"""Feeds readers with damaged copies of real files, and says what they should not have done.

    python tools/fuzz_readers.py FOLDER [seconds] [seed]

Each file of the folder that a reader exists for is cut, spliced with another, and has bytes
flipped, repeated or replaced by what parsers stumble over; then it is read by the worker, as
`askai index` would. A reading must keep the reader's contract, or the file be refused by a
ReadError that is no crash. What breaks this is printed with the seed that makes it again, and
kept in FOLDER/.found.
"""

import random
import sys
import time
from collections import Counter
from pathlib import Path

from askai.errors import ReadError
from askai.readers import READERS, SUFFIXES, Reading, worker

BLOCKS = frozenset(
    ("heading", "paragraph", "bullet", "table_title", "table_header", "table_row", "footnote")
)
STUMBLES = (
    *(b"\0", b"\xff\xfe", b"<" * 99, b"(" * 99, b"[" * 9999, b"<<" * 999, b'"', b"&#0;", b"]]>"),
    *(b"99999999999", b"-1", b"\xed\xa0\x80", b"endobj", b"stream\n", b"PK\x03\x04"),
)
MOST = 400_000  # bytes of a file that is damaged


def damaged(data: bytes, other: bytes, dice: random.Random) -> bytes:
    found = bytearray(data[:MOST])
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(6):
            case 0:
                found = found[:at]
            case 1 if found:
                found[at % len(found)] = dice.randrange(256)
            case 2:
                found[at:at] = dice.choice(STUMBLES)
            case 3:
                found[at:at] = found[at : at + dice.randrange(2000)] * dice.choice((1, 2, 50))
            case 4:
                found[at : at + dice.randrange(500)] = b""
            case _:
                start = dice.randrange(len(other) + 1)
                found[at:] = other[start : start + MOST]
        found = found[: 2 * MOST]
    return bytes(found)


def wrong(reading: Reading) -> str:
    """What of the reader's contract a reading breaks; "" for nothing."""
    at = 0
    for mark in sorted((m for m in reading.marks if m.kind in BLOCKS), key=lambda m: m.start):
        if not at <= mark.start <= mark.end <= len(reading.text):
            return f"{mark} overlaps another, or is outside the text"
        if reading.text[at : mark.start].replace("\ufeff", "").strip():
            return f"{reading.text[at : mark.start][:80]!r} is in no block"
        at = mark.end
    if reading.text[at:].replace("\ufeff", "").strip():
        return f"{reading.text[at:][:80]!r} is in no block"
    if list(reading.marks) != sorted(reading.marks, key=lambda m: (m.start, -m.end)):
        return "marks are not in order"
    return "" if all(0 <= quality <= 1 for quality in reading.pages) else "a page's quality"


def main() -> None:
    folder = Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 600.0
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
    reading = worker.Worker(seconds=60.0)
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seed += 1
        dice = random.Random(seed)
        one, other = dice.choice(files), dice.choice(files)
        reader = SUFFIXES[one.suffix.lower()]
        data = damaged(one.read_bytes(), other.read_bytes(), dice)
        begin = time.monotonic()
        try:
            problem = wrong(reading.read(reader, data))
            counts[f"{reader} read"] += 1
        except ReadError as error:
            said = str(error)
            crashed = "crashed" in said or "not read within" in said
            problem = said if crashed else ""
            counts[f"{reader} refused"] += 1
        took = time.monotonic() - begin
        if problem or took > 30:
            kept = folder / ".found" / f"{seed}{one.suffix}"
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(data)
            print(f"seed {seed}: {one.name}: {problem or 'slow'} ({took:.1f} s), kept in {kept}")
            counts["FOUND"] += 1
    print(f"{seed} seeds; {dict(sorted(counts.items()))}; readers {', '.join(sorted(READERS))}")
    reading.close()


if __name__ == "__main__":
    main()
