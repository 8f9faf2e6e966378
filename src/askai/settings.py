"""What a user can set: `askai.toml`, then `ASKAI_*` variables, then options of the command line.

An unknown key is an error that names it: a misspelt setting that is ignored is worse than none.
"""

import hashlib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from askai.errors import SettingsError
from askai.files import cache_dir

FILE = "askai.toml"
# Read where the cache is, before any settings; and by the tests, for their servers.
_OTHER_VARIABLES = frozenset({"ASKAI_CACHE", "ASKAI_PG_DSN", "ASKAI_MILVUS_URI"})
_PARTED = ("postgresql", "postgres")  # kinds of which several are the shards of one index
_SERVERS = (*_PARTED, "milvus")
_LOCAL_STORE = "faiss"
_NAME = re.compile(r"[\w.-]+")
_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings with their defaults."""

    corpus: str = "corpus"  # folder of documents
    index: str = ""  # folder of the index; empty: see `index_dir`
    model: str = "multilingual-e5-small"  # of the embedder
    # A name, or the address of a server; of several, the shards, with blanks between them.
    store: str = field(default="faiss", repr=False)
    store_read: str = field(default="", repr=False)  # of a replica of each that questions go to
    store_schema: str = "askai"  # of the server's tables; begins the names of its collections
    store_partial: bool = False  # whether to answer from the other shards when one is lost
    lexical: str = "bm25"
    reranker: str = "ms-marco-MiniLM-L-12-v2"  # or "none"
    writer: str = "extractive"
    passages: int = 10  # printed by `search`, and given with an answer
    chunk_tokens: int = 256  # the most a passage holds, counted by tiktoken
    max_file_mb: float = 32.0  # a larger file is named and not read
    max_read_seconds: float = 120.0  # a file that takes longer is named and not read
    # Of locked files, by path in the corpus or by a pattern of paths: [passwords] in askai.toml.
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.passages < 1:
            raise SettingsError(f"passages is {self.passages}; it must be 1 or more.")
        self._check_store()
        if not 32 <= self.chunk_tokens <= 4096:
            raise SettingsError(f"chunk_tokens is {self.chunk_tokens}; it must be 32 to 4096.")
        if not 0 < self.max_file_mb < math.inf:
            raise SettingsError(f"max_file_mb is {self.max_file_mb}; it must be more than 0.")
        if not 0 < self.max_read_seconds < math.inf:
            raise SettingsError(
                f"max_read_seconds is {self.max_read_seconds}; it must be more than 0."
            )
        if not all(isinstance(word, str) for word in self.passwords.values()):
            raise SettingsError("passwords must be strings in quotes, each after its file's path.")

    def _check_store(self) -> None:
        """No message quotes an address: it may hold a password."""
        for name, value in (("store", self.store), ("store_read", self.store_read)):
            several = value.split() if "://" in value else [value]
            for one in several:
                _check_place(name, one, several=len(several) > 1)
            if len(set(several)) < len(several):
                raise SettingsError(f"{name} has an address twice; each shard has one of its own.")
        read, mark, _ = self.store_read.partition("://")
        written, _, _ = self.server.partition("://")
        same = read == written or {read, written} <= {*_PARTED}  # two names of one kind
        if self.store_read and not (mark and same):
            raise SettingsError(
                "store_read is the address of a replica of the server that store names; set both "
                "to postgresql://…, or both to milvus://…"
            )
        if self.store_read and len(self.read_servers) != len(self.servers):
            raise SettingsError(
                f"store has {len(self.servers)} addresses and store_read {len(self.read_servers)}; "
                "expected a replica of each, in the same order."
            )
        if not _SCHEMA.fullmatch(self.store_schema):
            raise SettingsError(
                f"store_schema is {self.store_schema!r}; expected letters, digits and _."
            )

    @property
    def server(self) -> str:
        """The address of the server that the index is published to; "": it is in a folder."""
        return self.store if "://" in self.store else ""

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses of the shards; one where the index is on one server."""
        return tuple(self.server.split())

    @property
    def read_server(self) -> str:
        """The address that questions go to; "": the index is in a folder."""
        return self.store_read or self.server

    @property
    def read_servers(self) -> tuple[str, ...]:
        """The addresses that questions go to, one for each shard."""
        return tuple(self.read_server.split())

    @property
    def local_store(self) -> str:
        """How vectors are kept in the index folder, which is where they are made."""
        return _LOCAL_STORE if self.server else self.store

    @property
    def corpus_dir(self) -> Path:
        return Path(self.corpus).expanduser()

    @property
    def max_file_bytes(self) -> int:
        return int(self.max_file_mb * 1_000_000)

    @property
    def index_dir(self) -> Path:
        """`index/` beside a folder named `corpus`; for any other folder one in the user's cache,
        so that a question from anywhere finds it and nobody's documents gain files."""
        if self.index:
            return Path(self.index).expanduser()
        corpus = self.corpus_dir
        if corpus.name == "corpus":
            return corpus.parent / "index"
        whole = corpus.resolve()
        if corpus.name in ("", "..") and whole.name == "corpus":  # named from within
            return whole.parent / "index"
        name = f"{whole.name}-{hashlib.sha256(str(whole).encode()).hexdigest()[:8]}"
        return cache_dir() / "indexes" / name


def _check_place(name: str, value: str, *, several: bool) -> None:
    scheme, mark, _ = value.partition("://")
    if mark and scheme not in _SERVERS:
        raise SettingsError(
            f"{name} is an address of the kind {_kind(scheme)}; expected postgresql://… or milvus://…"
        )
    if not mark and (several or (value and not _NAME.fullmatch(value))):
        raise SettingsError(
            f"{name} is neither a name, such as faiss, nor an address, postgresql://… or "
            "milvus://…, nor several of PostgreSQL with blanks between them."
        )
    if several and scheme not in _PARTED:
        raise SettingsError(
            f"{name} has several addresses, one of the kind {scheme}://; only postgresql://… parts "
            "an index among servers."
        )


def _kind(scheme: str) -> str:
    return f"{scheme}://" if _NAME.fullmatch(scheme) else "that it is"


_TYPES: dict[str, type[Any]] = {
    f.name: dict if f.name == "passwords" else type(f.default) for f in fields(Settings)
}


_SECRET = {"passwords", "store", "store_read"}  # values that no message quotes
_LISTS = {"store", "store_read"}  # that may be a list of texts in a file
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def load_settings(
    *, folder: Path, environment: Mapping[str, str], options: Mapping[str, Any]
) -> Settings:
    """Defaults, then `askai.toml` of `folder`, then the environment, then options that are set.

    Raises SettingsError naming the key that is unknown or has a value of the wrong type.
    """
    settings = _with(Settings(), _from_file(folder / FILE), where=FILE)
    settings = _with(settings, _from_environment(environment), where="the environment")
    for name in ("corpus", "index"):
        if options.get(name) == "":  # --corpus "$UNSET" would mean the working folder
            raise SettingsError(f"--{name} is empty; expected a folder.")
    return _with(settings, {k: v for k, v in options.items() if v is not None}, where="options")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith("ASKAI_") or name in _OTHER_VARIABLES:
            continue
        key = name.removeprefix("ASKAI_").lower()
        kind = _TYPES.get(key, str)
        if kind is dict:
            raise SettingsError(f"{name} cannot be set; write {key} into {FILE}.")
        try:
            found[key] = _TRUTHS[value.lower()] if kind is bool else kind(value)
        except KeyError:
            raise SettingsError(f"{name} is {value!r}; expected true or false.") from None
        except ValueError:
            raise SettingsError(f"{name} is {value!r}; expected {kind.__name__}.") from None
    return found


def _with(settings: Settings, values: Mapping[str, Any], *, where: str) -> Settings:
    found_values: dict[str, Any] = {}
    for key, given in values.items():
        value = given
        if key not in _TYPES:
            raise SettingsError(
                f"Unknown setting {key!r} in {where}. There are: {', '.join(_TYPES)}."
            )
        kind = _TYPES[key]
        if key in _LISTS and isinstance(value, list):
            value = _joined(key, value, where)
        number = kind is float and isinstance(value, int) and not isinstance(value, bool)
        if not number and type(value) is not kind:
            expected = "a table" if kind is dict else kind.__name__
            found = "" if key in _SECRET else f" is {value!r};"
            raise SettingsError(f"{key} in {where}{found} expected {expected}.")
        found_values[key] = value
    return replace(settings, **found_values)


def _joined(key: str, addresses: list[Any], where: str) -> str:
    """Several addresses as one text."""
    if not addresses or not all(isinstance(a, str) and len(a.split()) == 1 for a in addresses):
        raise SettingsError(f"{key} in {where}: expected a list of addresses, each in quotes.")
    return " ".join(addresses)
