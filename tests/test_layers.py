"""Imports run one way, from the command line down to the records, and never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

# The lower a layer stands here, the lower it is: a module imports its own layer and those below.
# A folder stands for the modules in it.
LAYERS = (
    ("__main__", "cli"),
    ("bench_report",),
    ("assemble", "output", "recipes", "render", "report", "scoreboard"),
    ("doctor",),
    ("bench_index",),
    ("answer", "baseline", "bench", "compare", "evaluate", "index_parts", "index_report",
     "indexing", "parts", "verify"),
    ("alias_mining", "aliases", "answerability", "asked", "beir", "catalog", "catalog_reader",
     "catalog_writer", "centring", "changes", "chunking", "cite", "conflicts", "context", "corpus",
     "earlier", "evidence", "gate", "generation_writer", "generations", "gold",
     "induced_lexicon", "judge", "kept_vectors", "manifest", "milvus", "narrowing", "postgres",
     "publication", "refusals", "repeats", "retrieve", "scope", "servers", "settings", "spans",
     "stored_lexicon", "sub_questions", "writers"),
    ("embedders", "lexical", "readers", "rerankers", "seams", "stores"),
    ("errors", "files", "kept_graphs", "language", "legs", "lexicon", "mapped_tables", "measures",
     "onnx_graph", "records", "sentences", "tables", "token_count", "tokens", "units",
     "vocabulary"),
)  # fmt: skip
PARTS = {"alias_mining", "answer", "answerability", "catalog", "centring", "conflicts", "corpus",
         "embedders", "evidence", "gate", "generations", "index_parts", "indexing",
         "induced_lexicon", "lexical", "narrowing", "parts", "rerankers", "retrieve",
         "stores", "writers"}  # fmt: skip


def modules():
    """Every module of askai by its name below `askai`, and its syntax tree."""
    found = {}
    for file in sorted((SOURCE / "askai").rglob("*.py")):
        name = ".".join(file.relative_to(SOURCE / "askai").with_suffix("").parts)
        found[name.removesuffix("__init__").rstrip(".")] = ast.parse(file.read_text("utf-8"))
    return found


TREES = modules()
NAMED = pytest.mark.parametrize("name", [name for name in TREES if name])


def imported(tree, names):
    """The modules of askai that a module imports, anywhere in it and for types too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            if node.module == "askai" or (node.module or "").startswith("askai."):
                below = node.module.removeprefix("askai").lstrip(".")
                for alias in node.names:
                    whole = f"{below}.{alias.name}".lstrip(".")
                    found.add(whole if whole in names else below)
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("askai").lstrip(".")
                for alias in node.names
                if alias.name.split(".")[0] == "askai"
            }
    return found - {""}


def graph(trees):
    return {name: imported(tree, trees) for name, tree in trees.items()}


IMPORTS = graph(TREES)


def layer(name):
    """The number of a module's layer, from the top."""
    found = [n for n, names in enumerate(LAYERS) if name.split(".")[0] in names]
    assert len(found) == 1, f"askai.{name} is in {len(found)} layers; give it one in LAYERS"
    return found[0]


def upward(imports):
    return [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in others
        if name and layer(other) < layer(name)
    ]


def test_imports_run_one_way():
    assert upward(IMPORTS) == []


def test_there_is_no_circle_of_imports():
    order = list(TopologicalSorter(IMPORTS).static_order())
    assert order.index("records") < order.index("answer") < order.index("cli")


def test_only_assemble_recipes_and_the_command_line_know_settings_and_parts():
    known = {
        name.split(".")[0]
        for name, others in IMPORTS.items()
        if "settings" in others and {other.split(".")[0] for other in others} & PARTS
    }
    assert known == {"assemble", "cli", "recipes"}


def test_parts_know_no_settings():
    users = [name for name, others in IMPORTS.items() if "settings" in others]
    assert {name.split(".")[0] for name in users} <= {"assemble", "cli", "recipes"}


def prints(tree):
    return [
        node.lineno
        for node in ast.walk(tree)
        if ast.unparse(node) in {"print", "sys.stdout", "sys.stderr", "sys.__stdout__"}
    ]


@NAMED
def test_only_the_console_prints(name):
    assert bool(prints(TREES[name])) == (name == "cli.console")


@NAMED
def test_a_module_says_what_it_is_for(name):
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"retrieve": "from askai.settings import Settings"}, "settings"),
        ({"records": "import askai.retrieve"}, "upward"),
        ({"gate": "def f():\n    from askai import answer"}, "upward"),
        ({"retrieve": "from askai.gate import Gate"}, "circle"),
        ({"tables": "from askai.records import Chunk"}, "circle"),
        ({"gate": "print('x')"}, "prints"),
        ({"gate": "import sys; sys.stdout.write('x')"}, "prints"),
    ],
    ids=["settings", "upward", "upward-late", "circle", "circle-below", "print", "stdout"],
)
def test_what_breaks_a_rule_is_caught(changes, what):
    broken = TREES | {name: ast.parse(code) for name, code in changes.items()}
    imports = graph(broken)
    if what == "upward":
        assert upward(imports)
    elif what == "settings":
        assert "settings" in imports["retrieve"]
    elif what == "prints":
        assert all(prints(broken[name]) for name in changes)
    else:
        with pytest.raises(CycleError):
            list(TopologicalSorter(imports).static_order())
