"""The words of texts that say what they are about, as they are written."""

import re
from collections import Counter
from collections.abc import Iterable

from askai.tokens import FUNCTION_WORDS, folded, is_han

_WORD = re.compile(r"[^\W\d_]{3,}(?:-[^\W\d_]{2,})*")


def latin_words(text: str) -> dict[str, str]:
    """The words of a text that say what it is about, by how they fold, as they are written."""
    found = {folded(word): word for word in _WORD.findall(text) if not is_han(folded(word)[:1])}
    return {plain: word for plain, word in found.items() if plain not in FUNCTION_WORDS}


def word_counts(texts: Iterable[str]) -> Counter[str]:
    """In how many of some texts each word stands, in small letters."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({word.lower() for word in latin_words(text).values()})
    return counts
