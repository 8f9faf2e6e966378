"""The questions of a question that asks several things: "Where is X, and how many …?"."""

import re

from askai.tokens import content_tokens

_ASKING = {
    "en": r"what|which|who|when|where|why|how|(?:in|at|to|for|by|of|from) (?:what|which|whom)",
    "fr": r"combien|qu[ei]l?(?:le)?s?|quand|où|pourquoi|comment"
    r"|(?:à|dans|de|en|pour) quel(?:le)?s?",
    # Many type no accents; alone, "que", "cuando", "donde" and "como" are no words of asking.
    "es": r"cu[áa]nt[oa]s?|cu[áa]l(?:es)?|qué|qui[ée]n(?:es)?|cuándo|dónde|cómo|por qué"
    r"|(?:a|en|de|con) qu[ée]",
}
_AND = {"en": "and", "fr": "et", "es": "y"}
_BEGINS = r"^\W*(?:que|donde|cuando)"  # at the beginning they ask, without accents as well
_ASKS = {
    code: re.compile(rf"(?:{_BEGINS}|\b(?:{asking}))\b", re.IGNORECASE)
    for code, asking in _ASKING.items()
}
_ASKS_HAN = re.compile("什么|哪|谁|多少|几|如何|怎|为何|何时")
_NEXT = {
    code: re.compile(
        rf"[,;]?\s+{_AND[code]}\s+(?=(?:{asking})\b)|[?？;]\s+¿?(?=(?:{asking})\b)", re.IGNORECASE
    )
    for code, asking in _ASKING.items()
}
# A comma alone may begin a clause ("the firm, which …"), so one comma parts nothing.
_LISTED = {
    code: re.compile(rf",\s+(?=(?:{asking})\b)", re.IGNORECASE) for code, asking in _ASKING.items()
}
_NEXT_HAN = re.compile(rf"[？?；;，,]\s*(?=[^？?，,]*(?:{_ASKS_HAN.pattern}))")
_FEW = 2  # parts; a question of more enumerates them
_LEAST, _LEAST_HAN = 3, 2  # characters of a question beside its words of asking


_IT = re.compile(
    r"\b(?:it|its|they|their|them|he|his|she|her|ils?|elles?|leurs?|ellos|ellas)\b|[它他她其该]",
    re.IGNORECASE,
)


def says_it(part: str) -> bool:
    """Whether a part of a question says "it" of what another part names, and little else: "who runs
    it" is about nothing by itself."""
    return bool(_IT.search(part)) and len(content_tokens(part)) <= 1


def sub_questions(question: str, language: str) -> tuple[str, ...]:
    """The parts of a question that asks several things; itself alone where it asks one."""
    han = language == "zh"
    following = _NEXT_HAN if han else _NEXT.get(language, _NEXT["en"])
    asks = _ASKS_HAN if han else _ASKS.get(language, _ASKS["en"])
    pieces = following.split(question)
    listed = None if han else _LISTED.get(language, _LISTED["en"])
    if listed and len(pieces) + len(listed.findall(question)) > _FEW:
        pieces = [part for piece in pieces for part in listed.split(piece)]
    parts = tuple(part.strip() for part in pieces if part.strip())
    least = _LEAST_HAN if han else _LEAST
    whole = len(parts) < 2 or any(not _is_question(part, asks, least) for part in parts)
    return (question,) if whole else parts


def _is_question(part: str, asks: re.Pattern[str], least: int) -> bool:
    """Whether a part asks, and after something: "When" of "When and where is it?" does not."""
    return bool(asks.search(part)) and len(re.sub(r"\W", "", asks.sub("", part))) >= least
