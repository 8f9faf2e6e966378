"""Which language a question or a part of a document is in.

The script decides between Chinese and the rest, in every text. Between English, French and Spanish
the words of asking and joining decide where they are clear, which in most questions they are; else
the lingua library does, which was made for short texts and takes 0.7 s to load.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from askai.records import Mark
from askai.tokens import OWN_WORDS, words

if TYPE_CHECKING:
    from lingua import LanguageDetector

LANGUAGES = ("en", "zh", "fr", "es")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]")
_SPANISH = re.compile(r"\s*[¿¡]")
# A question about a Chinese word is in the language of the question.
_ASKS = re.compile(
    r"[\s¿]*(?:what|which|who|where|when|why|how|is|are|does|do|did|was|were|"
    r"quel(?:le)?s?|qui|que|où|quand|pourquoi|comment|combien|est-ce|"
    r"qué|cuál(?:es)?|quién(?:es)?|dónde|cuándo|cómo|cuánt[oa]s?)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\w+://\S+|<[^<>\s]+>")
# Latin names may outweigh the few characters that make a question Chinese.
_HAN_ASKS = re.compile("什么|哪|谁|吗|呢|如何|怎|多少|为何|是否|有没有")
# Below this many letters a block takes the language of the text around it.
_SURE = 40
_SAMPLE = 600


def language_of(text: str) -> str:
    """ISO 639-1 code of the language; "en" where nothing can be told."""
    sample = _ADDRESS.sub(" ", text[: 4 * _SAMPLE])[:_SAMPLE]
    han, latin = len(_HAN.findall(sample)), len(_LATIN.findall(sample))
    # A Han character says about as much as three Latin letters.
    if han and not _ASKS.match(sample) and (han * 3 >= latin or _HAN_ASKS.search(sample)):
        return "zh"
    if not latin:
        return "en"
    if _SPANISH.match(sample):
        return "es"
    return _by_function_words(sample) or _by_lingua(sample)


def _by_function_words(sample: str) -> str | None:
    """The language that two function words more speak for than for any other; None if none."""
    found = words(sample)
    counts = {code: sum(word in own for word in found) for code, own in OWN_WORDS.items()}
    best, second, *_ = sorted(counts, key=lambda code: -counts[code])
    return best if counts[best] >= counts[second] + 2 else None


def _by_lingua(sample: str) -> str:
    found = _detector().detect_language_of(sample)
    return found.iso_code_639_1.name.lower() if found is not None else "en"


def parts(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """The stretches of a document in one language each, from its first mark to its last."""
    found: list[Mark] = []
    for mark in marks:
        if mark.kind in ("table", "reference", "page"):
            continue
        sample = _ADDRESS.sub(" ", text[mark.start : min(mark.end, mark.start + 4 * _SAMPLE)])
        weight = 3 * len(_HAN.findall(sample)) + len(_LATIN.findall(sample))
        sure = weight >= _SURE or bool(_HAN.search(sample))
        spoken = language_of(sample) if sure and mark.kind != "table_row" else ""
        if found and spoken in ("", found[-1].label):
            found[-1] = Mark("language", found[-1].start, mark.end, found[-1].label)
        else:
            found.append(Mark("language", mark.start, mark.end, spoken or "en"))
    return found


@cache
def _detector() -> "LanguageDetector":
    from lingua import Language, LanguageDetectorBuilder  # noqa: PLC0415  loaded when first asked

    return LanguageDetectorBuilder.from_languages(
        Language.ENGLISH, Language.FRENCH, Language.SPANISH
    ).build()
