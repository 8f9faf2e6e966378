"""Defaults, askai.toml, ASKAI_* variables, options: which of them counts, and what is refused."""

import pytest

from askai.settings import Settings, load_settings
from conftest import QUESTION

WRONG_FILES = {
    "unknown key": (
        b'modell = "hashing"',
        (
            "Unknown setting 'modell' in askai.toml. There are: corpus, index, model, store, "
            "store_read, store_schema, store_partial, lexical, reranker, writer, passages, "
            "chunk_tokens, max_file_mb, max_read_seconds, passwords."
        ),
    ),
    "unknown table": (b"[index]\npath = 1", "index in askai.toml is {'path': 1}; expected str."),
    "text for a number": (b'passages = "ten"', "passages in askai.toml is 'ten'; expected int."),
    "true for a number": (b"passages = true", "passages in askai.toml is True; expected int."),
    "a broken number": (b"passages = 1.5", "passages in askai.toml is 1.5; expected int."),
    "number for text": (b"model = 5", "model in askai.toml is 5; expected str."),
    "too small": (b"passages = 0", "passages is 0; it must be 1 or more."),
    "too few tokens": (b"chunk_tokens = 8", "chunk_tokens is 8; it must be 32 to 4096."),
    "no size": (b"max_file_mb = 0", "max_file_mb is 0; it must be more than 0."),
    "not TOML": (b"model hashing", "askai.toml cannot be read: Expected '=' after a key"),
    "not UTF-8": (b'model = "\xff"', "askai.toml cannot be read: 'utf-8' codec can't decode byte"),
}


@pytest.mark.parametrize(("content", "says"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_askai_toml_is_named_with_its_key(indexed, content, says):
    (indexed.folder / "askai.toml").write_bytes(content)
    for command in (("index",), ("ask", QUESTION), ("status",), ("models",)):
        indexed.fails(*command, says=says, code=2)
    (indexed.folder / "askai.toml").unlink()
    indexed.answers()


def test_a_folder_named_askai_toml_is_refused(desk):
    (desk.folder / "askai.toml").mkdir()
    desk.fails("status", says="askai.toml cannot be read: [Errno 21] Is a directory", code=2)


def test_an_askai_toml_of_a_thousand_brackets_is_refused(desk):
    (desk.folder / "askai.toml").write_text(f"model = {'[' * 5000}{']' * 5000}")
    desk.fails("status", says="askai.toml cannot be read", code=2)


WRONG_VARIABLES = {
    "unknown": ({"ASKAI_MODELL": "x"}, "Unknown setting 'modell' in the environment."),
    "no number": ({"ASKAI_PASSAGES": "ten"}, "ASKAI_PASSAGES is 'ten'; expected int."),
    "empty number": ({"ASKAI_MAX_FILE_MB": ""}, "ASKAI_MAX_FILE_MB is ''; expected float."),
    "no name": ({"ASKAI_": "x"}, "Unknown setting '' in the environment."),
    "out of range": ({"ASKAI_CHUNK_TOKENS": "9999"}, "chunk_tokens is 9999; it must be 32 to 4096"),
}


@pytest.mark.parametrize(("variables", "says"), WRONG_VARIABLES.values(), ids=WRONG_VARIABLES)
def test_a_wrong_variable_is_named(desk, variables, says):
    desk.fails("status", says=says, code=2, **variables)


@pytest.mark.parametrize("size", ["nan", "inf"])
def test_a_size_that_is_no_size_is_refused(indexed, size):
    (indexed.folder / "askai.toml").write_text(f"max_file_mb = {size}")
    indexed.fails("status", says="max_file_mb", code=2)


WRONG_NAMES = {
    "store": ("index", {"ASKAI_STORE": "x"}, "No store named 'x'. There are: exact, faiss."),
    "lexical": ("index", {"ASKAI_LEXICAL": "x"}, "No lexical named 'x'. There are: bm25."),
    "reranker": (
        "ask",
        {"ASKAI_RERANKER": "x"},
        "No reranker named 'x'. There are: ms-marco-MiniLM-L-12-v2, none.",
    ),
    "writer": ("ask", {"ASKAI_WRITER": "x"}, "No writer named 'x'. There are: extractive."),
}


@pytest.mark.parametrize(
    ("command", "variables", "says"), WRONG_NAMES.values(), ids=list(WRONG_NAMES)
)
def test_a_part_that_does_not_exist_is_named_with_those_that_do(indexed, command, variables, says):
    question = [QUESTION] if command == "ask" else []
    indexed.fails(command, *question, says=says, code=2, **variables)
    indexed.answers()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        pytest.param(
            "./nowhere", "The model './nowhere' is no folder: expected modules.json", id="folder"
        ),
        pytest.param("no-such-model", "and the Hugging Face hub did not give it: HF_HUB", id="hub"),
        pytest.param("", "The model '' is a folder without them", id="empty"),
    ],
)
def test_a_model_that_cannot_be_had_is_named(indexed, model, says):
    for command in (("index", "--rebuild"), ("ask", QUESTION)):
        indexed.fails(*command, "--model", model, says=says)
    indexed.answers()


def test_the_later_of_file_environment_and_options_counts(tmp_path):
    def model(toml="", environment=None, **options):
        (tmp_path / "askai.toml").write_text(toml)
        return load_settings(
            folder=tmp_path, environment=environment or {}, options=options
        ).model  # fmt: skip

    toml, variable = 'model = "file"', {"ASKAI_MODEL": "variable", "ASKAI_CACHE": "x", "PATH": "y"}
    assert model() == "multilingual-e5-small"
    assert model(toml) == "file"
    assert model(toml, variable) == "variable"
    assert model(toml, variable, model="option") == "option"
    assert model(toml, variable, model=None) == "variable"


def test_a_whole_number_will_do_for_a_number(tmp_path):
    (tmp_path / "askai.toml").write_text("max_file_mb = 2")
    settings = load_settings(folder=tmp_path, environment={}, options={})
    assert settings.max_file_bytes == 2_000_000


def test_askai_toml_is_that_of_the_working_folder(indexed):
    (indexed.folder / "askai.toml").write_text('corpus = "corpus"\npassages = 1\n')
    found = indexed.run("search", "people Harbin", "--json").json
    assert len(found["passages"]) == 1
    found = indexed.run("search", "people Harbin", "--json", "-k", "2").json
    assert len(found["passages"]) == 2


def places(**options):
    return load_settings(folder=options.pop("at"), environment={}, options=options)


INDEX_PLACES = {
    "default": ({}, "index"),
    "a folder named corpus": ({"corpus": "x/corpus"}, "x/index"),
    "with a slash": ({"corpus": "x/corpus/"}, "x/index"),
    "absolute": ({"corpus": "/x/corpus"}, "/x/index"),
    "an index that is named": ({"corpus": "x/corpus", "index": "y"}, "y"),
}


@pytest.mark.parametrize(("options", "place"), INDEX_PLACES.values(), ids=INDEX_PLACES)
def test_the_index_is_beside_a_folder_named_corpus(tmp_path, options, place):
    assert places(at=tmp_path, **options).index_dir.as_posix() == place


def test_the_index_of_another_folder_is_in_the_cache_wherever_it_is_named_from(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ASKAI_CACHE", str(tmp_path / "cache"))
    (tmp_path / "papers").mkdir()
    (tmp_path / "other" / "papers").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    one = places(at=tmp_path, corpus="papers").index_dir
    assert one.parent == tmp_path / "cache" / "indexes"
    assert one.name.startswith("papers-")
    assert places(at=tmp_path, corpus=str(tmp_path / "papers")).index_dir == one
    assert places(at=tmp_path, corpus="other/../papers").index_dir == one
    assert places(at=tmp_path, corpus="other/papers").index_dir != one


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places(at=tmp_path, corpus="~/corpus").corpus_dir == tmp_path / "corpus"
    assert places(at=tmp_path, corpus="~/corpus").index_dir == tmp_path / "index"
    assert places(at=tmp_path, index="~/i").index_dir == tmp_path / "i"


def test_the_corpus_named_from_within_has_the_same_index(tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()
    monkeypatch.chdir(tmp_path / "corpus")
    found = places(at=tmp_path, corpus=".").index_dir
    assert found.resolve() == tmp_path / "index"


@pytest.mark.parametrize("option", ["--corpus", "--index"])
def test_an_empty_folder_name_is_refused(indexed, option):
    """As from `--corpus "$UNSET"`: it would index the working folder."""
    indexed.fails("status", option, "", says=option.strip("-"), code=2)


WORD = "hunter2"
WRONG_STORES = {
    "another server": ({"ASKAI_STORE": f"mysql://u:{WORD}@h/d"}, "kind mysql://"),
    "no address": ({"ASKAI_STORE": f"host=h password={WORD}"}, "store is neither a name"),
    "half an address": ({"ASKAI_STORE": f"u:{WORD}@h/d"}, "store is neither a name"),
    "a replica of nothing": ({"ASKAI_STORE_READ": f"postgresql://u:{WORD}@h/d"}, "store_read is"),
    "a replica of another kind": (
        {"ASKAI_STORE": f"milvus://u:{WORD}@h/d", "ASKAI_STORE_READ": f"postgresql://u:{WORD}@h/d"},
        "store_read is",
    ),
    "one of several": ({"ASKAI_STORE": f"postgresql://h/d {WORD}"}, "store is neither a name"),
    "another kind of several": (
        {"ASKAI_STORE": f"postgresql://h/d mysql://u:{WORD}@h/d"},
        "kind mysql://",
    ),
    "several that are not shards": (
        {"ASKAI_STORE": f"postgresql://h/d milvus://u:{WORD}@h/d"},
        "one of the kind milvus://",
    ),
    "twice": ({"ASKAI_STORE": f"postgresql://{WORD}@h/d " * 2}, "store has an address twice"),
    "a replica too few": (
        {
            "ASKAI_STORE": f"postgresql://h/d postgresql://u:{WORD}@i/d",
            "ASKAI_STORE_READ": "postgresql://r/d",
        },
        "store has 2 addresses and store_read 1",
    ),
    "neither yes nor no": ({"ASKAI_STORE_PARTIAL": "perhaps"}, "expected true or false"),
    "a schema": (
        {"ASKAI_STORE": "postgresql://h/d", "ASKAI_STORE_SCHEMA": 'a"; drop'},
        "expected letters, digits and _",
    ),
}


@pytest.mark.parametrize(("variables", "says"), WRONG_STORES.values(), ids=WRONG_STORES)
def test_a_wrong_store_is_refused_and_no_password_is_told(desk, variables, says):
    assert WORD not in desk.fails("status", says=says, code=2, **variables)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'store = ["postgresql://u:{WORD}@h/d", 5]', "store in askai.toml: expected a list of"),
        ("store = []", "store in askai.toml: expected a list of addresses, each in quotes."),
        ('store = ["postgresql://h/d postgresql://i/d"]', "expected a list of addresses"),
        ('store_partial = "true"', "store_partial in askai.toml is 'true'; expected bool."),
        ('corpus = ["a", "b"]', "corpus in askai.toml is ['a', 'b']; expected str."),
    ],
)
def test_a_wrong_list_is_refused(desk, content, says):
    (desk.folder / "askai.toml").write_text(content)
    assert WORD not in desk.fails("status", says=says, code=2)


def test_several_addresses_stand_in_a_list_or_with_blanks_between_them(tmp_path):
    addresses = ("postgresql://a,c/x", "postgresql://b/x")
    (tmp_path / "askai.toml").write_text(f"store = {[*addresses]}\nstore_partial = true\n")
    for found in (
        places(at=tmp_path),
        load_settings(folder=tmp_path / "none", environment={
            "ASKAI_STORE": " ".join(addresses), "ASKAI_STORE_PARTIAL": "True"}, options={}),
    ):  # fmt: skip
        assert found.servers == found.read_servers == addresses
        assert found.store_partial
        assert found.local_store == "faiss"
    assert Settings(store="postgresql://a/x").servers == ("postgresql://a/x",)
    assert Settings().servers == ()


def test_settings_do_not_show_an_address():
    shown = repr(Settings(store=f"postgresql://u:{WORD}@h/d", store_read=f"postgres://{WORD}@h"))
    assert WORD not in shown
    shown = repr(Settings(store=f"milvus://u:{WORD}@h/d", store_read=f"milvus://u:{WORD}@i/d"))
    assert WORD not in shown
