"""Every format, from the file to an answer that is proved again; and the files that are none."""

import io
import json
import os
import socket
import zipfile
from pathlib import Path

import pytest

from askai.readers import READERS, VERSIONS
from askai.seams import load

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"
ASKED = "Has Suzhou nine classical gardens in its old town?"
WORDS = "Suzhou keeps nine classical gardens in its old town."
DOCX = {
    "[Content_Types].xml": (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        'package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.wordprocessingml.document.main+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/'
        '2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
        "</Relationships>"
    ),
    "word/document.xml": (
        '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/'
        f'wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{WORDS}</w:t></w:r></w:p></w:body>'
        "</w:document>"
    ),
}


def zipped(parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return content.getvalue()


def pdf(text):
    """A PDF of one page with one line."""
    drawn = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R >>" % (len(objects) + 1)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return out + trailer + b"\nstartxref\n%d\n%%%%EOF" % start


FILES = {
    "x.pdf": pdf(WORDS),
    "x.html": f"<html><body><h1>Towns</h1><p>{WORDS}</p></body></html>".encode(),
    "x.docx": zipped(DOCX),
    "x.csv": f"city,what\nSuzhou,{WORDS}\n".encode(),
    "x.tsv": f"city\twhat\nSuzhou\t{WORDS}\n".encode(),
    "x.jsonl": json.dumps({"title": "Towns", "text": WORDS}).encode(),
    "x.md": f"---\ntitle: Towns\ndate: 2025-03-04\n---\n\n# Towns\n\n{WORDS}\n".encode(),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_has_the_version_that_indexes_are_compared_by(name):
    reader = load("reader", READERS, name)
    assert (reader.name, reader.version) == (name, VERSIONS[name])
    assert set(VERSIONS) == set(READERS)


@pytest.mark.parametrize("name", FILES)
def test_an_answer_from_any_format_is_proved_again(indexed, name):
    indexed.write(name, FILES[name])
    ran = indexed.run("ask", ASKED, "--fresh", "--json")
    assert ran.code == 0, ran
    (citation, *_) = ran.json["citations"]
    assert citation["source"] == f"corpus/{name}"
    assert WORDS in citation["quote"]
    (indexed.folder / "answer.json").write_text(ran.out, "utf-8")
    assert indexed.run("verify", "answer.json").code == 0
    place = f"{citation['source']}#char={citation['start']}-{citation['end']}"
    assert f"»{citation['quote']}«" in indexed.run("show", place).out
    listed = {f["path"]: f for f in indexed.run("status", "--files", "--json").json["files"]}
    assert listed[name]["reader"] == citation["reader"]
    indexed.write(name, FILES[name].replace(b"nine", b"four") if name != "x.docx" else b"")
    proved = indexed.run("verify", "answer.json", "--json")
    assert proved.code == 3
    assert proved.json["citations"][0]["status"] in {"changed", "gone"}


def test_a_page_of_a_pdf_is_cited(indexed):
    indexed.write("x.pdf", FILES["x.pdf"])
    ran = indexed.run("ask", ASKED, "--fresh", "--json")
    assert ran.json["citations"][0]["page"] == 1


def test_passwords_stand_in_the_settings(desk):
    if not SAMPLES.is_dir():
        pytest.skip(f"no samples in {SAMPLES}")
    locked = (SAMPLES / "pypdf" / "encrypted-file.pdf").read_bytes()
    desk.write("locked.pdf", locked)
    assert "locked.pdf: it is locked; put its password under [passwords]" in desk.run("index").out
    settings = desk.folder / "askai.toml"
    settings.write_text('[passwords]\n"locked.pdf" = "wrong"\n')
    assert "locked.pdf" in desk.run("index").out
    settings.write_text('[passwords]\n"*.pdf" = "test"\n')
    ran = desk.run("index", "--json").json
    assert (ran["skipped"], ran["read"]) == ([], 1)
    assert desk.run("index", "--json").json["built"] is False
    manifest = json.loads((desk.generation / "manifest.json").read_text("utf-8"))
    assert "test" not in json.dumps(manifest["settings"])


def test_a_refusal_names_the_files_that_were_not_read(indexed):
    indexed.write("scan.pdf", FILES["x.pdf"].replace(WORDS.encode(), b" " * len(WORDS)))
    ran = indexed.run("ask", "Who invented the telephone?", "--fresh", "--json")
    assert ran.code == 3
    assert ran.json["abstention"]["unreadable"] == ["corpus/scan.pdf"]


def test_what_is_no_file_stops_nothing(indexed):
    os.mkfifo(indexed.corpus / "pipe.pdf")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(indexed.corpus / "s.html"))
        (indexed.corpus / "zero.csv").symlink_to("/dev/zero")
        names = ["with\nnewline.md", "emoji-🀄.md", "n" * 252 + ".md", "CASE.md", "case.md",
                 "caf\u00e9.md", "cafe\u0301.md"]  # fmt: skip
        for n, name in enumerate(names):
            indexed.write(name, f"# Town {n}\n\nTown number {n} has {n + 20} gardens.\n")
        ran = indexed.run("index", "--json").json
    assert ran["documents"] == 2 + len(names)
    assert {skip["path"] for skip in ran["skipped"]} == {"pipe.pdf", "s.html", "zero.csv"}
    for n in range(len(names)):
        found = indexed.run("ask", f"Has town number {n} {n + 20} gardens?", "--json").json
        assert found["status"] == "answered", found
    indexed.answers()
