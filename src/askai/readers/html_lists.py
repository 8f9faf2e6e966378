"""How an `ol` counts, and the numbers that its items show."""

import re
from dataclasses import dataclass
from typing import Self

from askai.readers.html_elements import Element

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,9})")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
          (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


@dataclass(slots=True)
class NumberedList:
    form: str  # the attribute `type`: a, A, i, I, or another for plain numbers
    step: int
    following: int

    @classmethod
    def of(cls, element: Element) -> Self:
        backwards = "reversed" in element.attrib
        first = sum(one.tag == "li" for one in element) if backwards else 1
        return cls(
            (element.get("type") or "").strip(),
            -1 if backwards else 1,
            _integer(element.get("start"), first),
        )

    def mark(self, item: Element) -> str:
        """What stands before the next item."""
        number = _integer(item.get("value"), self.following)
        self.following = number + self.step
        shown = str(number)
        if self.form in ("a", "A") and number > 0:
            shown = _letters(number)
        elif self.form in ("i", "I") and 0 < number < 4000:
            shown = roman(number)
        return f"{shown.upper() if self.form in ('A', 'I') else shown}. "


def roman(count: int) -> str:
    """A number from 1 to 3999, in lower case."""
    shown = ""
    for value, sign in _ROMAN:
        shown += sign * (count // value)
        count %= value
    return shown


def _letters(count: int) -> str:
    """After "z" comes "aa", and then "ab"."""
    shown = ""
    while count:
        count, place = divmod(count - 1, 26)
        shown = chr(ord("a") + place) + shown
    return shown


def _integer(text: str | None, default: int) -> int:
    found = _INTEGER.match(text or "")
    return int(found[1]) if found else default
