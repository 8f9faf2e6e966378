"""Any text in a column of PostgreSQL, which takes neither NUL nor half of a surrogate pair.

These are written as an escape, and a backslash as two; so the texts that people write stay as they
are, and can be read and searched with SQL. Order by code point is kept but for those characters.
"""

import re

_ODD = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:(\\)|0|u([0-9a-f]{4}))")


def stored(text: str) -> str:
    """The text as it is stored; `read` gives it back to the last code point."""
    return _ODD.sub(_escaped, text) if _ODD.search(text) else text


def read(stored_text: str) -> str:
    """What `stored` was given."""
    return _ESCAPE.sub(_meant, stored_text) if "\\" in stored_text else stored_text


def _escaped(match: re.Match[str]) -> str:
    odd = match[0]
    if odd == "\\":
        return "\\\\"
    return "\\0" if odd == "\0" else f"\\u{ord(odd):04x}"


def _meant(match: re.Match[str]) -> str:
    if match[1]:
        return "\\"
    return chr(int(match[2], 16)) if match[2] else "\0"
