# ruff: noqa: INP001, T201
"""Makes src/askai/embedders/e5_language_means.npz from bench data and sample texts.

    python tools/make_language_means.py ../shared

Means of multilingual-e5-small's vectors by language, of passages and of questions (see
`askai.centring`). Nothing but texts and questions is read: no answers, no qrels. There are no
Spanish questions there, so their mean is that of the Spanish passages, moved as the French one
moves from passages to questions.
"""

import json
import lzma
import sys
from pathlib import Path

import numpy as np

from askai.embedders.models import resolve

COUNT = 150  # texts of each source
PASSAGES = {
    "en": ("bench/xquad-en/corpus.jsonl", "samples/debian/debian-faq.en.txt.xz"),
    "zh": ("bench/xquad-zh/corpus.jsonl", "samples/debian/debian-faq.zh-cn.txt.xz"),
    "fr": ("bench/service-public-fr/corpus.jsonl", "samples/debian/debian-faq.fr.txt.xz"),
    "es": ("samples/debian/maint-guide.es.txt.xz",),
}
QUESTIONS = {
    "en": ("bench/xquad-en/queries.jsonl",),
    "zh": ("bench/xquad-zh/queries.jsonl", "bench/debianfaq-zh2en/queries.jsonl"),
    "fr": ("bench/service-public-fr/queries.jsonl",),
}
LONGEST = 700  # characters of a passage


def texts(path: Path) -> list[str]:
    if path.suffix == ".jsonl":
        found = [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]
    else:
        blocks = lzma.decompress(path.read_bytes()).decode("utf-8").split("\n\n")
        found = [block.strip() for block in blocks if len(block.strip()) > 80]
    step = max(1, len(found) // COUNT)  # from all over the source
    return [text[:LONGEST] for text in found[::step][:COUNT]]


def main() -> None:
    shared = Path(sys.argv[1])
    model = resolve("multilingual-e5-small")
    means = {}
    for language, sources in PASSAGES.items():
        found = [text for source in sources for text in texts(shared / source)]
        means[f"passage_{language}"] = model.embed_passages(found).mean(axis=0)
    for language, sources in QUESTIONS.items():
        found = [text for source in sources for text in texts(shared / source)]
        means[f"query_{language}"] = np.stack([model.embed_query(t) for t in found]).mean(axis=0)
    french = means["query_fr"] - means["passage_fr"]
    means["query_es"] = means["passage_es"] + french
    path = Path(__file__).parent.parent / "src/askai/embedders/e5_language_means.npz"
    np.savez(path, fingerprint=np.array(model.fingerprint), **means)
    print(path, {name: round(float(np.linalg.norm(mean)), 3) for name, mean in means.items()})


if __name__ == "__main__":
    main()
