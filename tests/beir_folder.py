"""Small folders in the form of BEIR, made by hand."""

import json


def beir_folder(folder, *, corpus=None, queries=None, qrels=None, qrels_name="qrels.tsv"):
    """`corpus`: texts by id, or lines; `queries`: texts by id, or lines; `qrels`: triples."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = {"a": "The red fox."} if corpus is None else corpus
    first = next(iter(corpus), "a") if isinstance(corpus, dict) else "a"
    queries = {"q": "Which fox?"} if queries is None else queries
    qrels = [("q", first, 1)] if qrels is None else qrels
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", queries)
    (folder / qrels_name).parent.mkdir(exist_ok=True)
    rows = [("query-id", "corpus-id", "score"), *qrels]
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (folder / qrels_name).write_text(text, "utf-8")
    return folder


def write_lines(path, items):
    """One object a line; of a dictionary {"_id", "title", "text"} objects, bytes as they are."""
    if isinstance(items, dict):
        items = [{"_id": name, "title": "", "text": text} for name, text in items.items()]
    lines = [
        item if isinstance(item, bytes) else json.dumps(item, ensure_ascii=False).encode()
        for item in items
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
