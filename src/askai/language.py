"""Which language a question or a part of a document is in.

The script decides between Chinese and the rest, in every text. Between English, French and Spanish
the words of asking and joining decide where they are clear, which in most questions they are; else
the lingua library does, which was made for short texts and takes 0.7 s to load. In a document whose
other blocks leave no doubt it is not asked.
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
    return _clear(sample) or _by_lingua(sample)


def _clear(sample: str) -> str | None:
    """The language that the script, the marks or the words of a text leave no doubt of."""
    han, latin = len(_HAN.findall(sample)), len(_LATIN.findall(sample))
    # A Han character says about as much as three Latin letters.
    if han and not _ASKS.match(sample) and (han * 3 >= latin or _HAN_ASKS.search(sample)):
        return "zh"
    if not latin:
        return "en"
    if _SPANISH.match(sample):
        return "es"
    return _by_function_words(sample)


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
    blocks = [mark for mark in marks if mark.kind not in ("table", "reference", "page")]
    found: list[Mark] = []
    for mark, spoken in zip(blocks, _spoken(text, blocks), strict=True):
        if found and spoken in ("", found[-1].label):
            found[-1] = Mark("language", found[-1].start, mark.end, found[-1].label)
        else:
            found.append(Mark("language", mark.start, mark.end, spoken or "en"))
    return found


def _spoken(text: str, blocks: Sequence[Mark]) -> list[str]:
    """The language of each block; "" for one that has the language of the text around it.

    Where more blocks in Latin letters are clear than not, and all in one language, one that is not
    clear, a title or a list of names, is in that one.
    """
    samples: dict[int, str] = {}
    for number, mark in enumerate(blocks):
        whole = text[mark.start : min(mark.end, mark.start + 4 * _SAMPLE)]
        sample = _ADDRESS.sub(" ", whole)
        weight = 3 * len(_HAN.findall(sample)) + len(_LATIN.findall(sample))
        if mark.kind != "table_row" and (weight >= _SURE or _HAN.search(sample)):
            samples[number] = sample[:_SAMPLE]
    clear = {number: code for number, sample in samples.items() if (code := _clear(sample))}
    latin = [code for code in clear.values() if code != "zh"]
    unclear = len(samples) - len(clear)
    only = latin[0] if len(set(latin)) == 1 and len(latin) > max(1, unclear) else None
    return [
        clear.get(number) or only or _by_lingua(samples[number]) if number in samples else ""
        for number in range(len(blocks))
    ]


@cache
def _detector() -> "LanguageDetector":
    from lingua import Language, LanguageDetectorBuilder  # noqa: PLC0415  loaded when first asked

    return LanguageDetectorBuilder.from_languages(
        Language.ENGLISH, Language.FRENCH, Language.SPANISH
    ).build()
