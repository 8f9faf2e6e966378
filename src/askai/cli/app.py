"""The command line as a whole: its help, and the options before a command."""

import typer

from askai.cli.options import CorpusOption, IndexOption, ModelOption, StoreOption

ABSTAINED = 3

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    help=(
        "Answers from a folder of documents, every sentence a verbatim, checkable quotation.\n\n"
        'Start with `askai ask "Who …?"`: it indexes the folder corpus/ the first time. '
        "Other folders: `askai --corpus DIR ask …`. Settings may also stand in askai.toml and in "
        "ASKAI_* variables.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no answer in the documents (ask) or no "
        "longer provable (verify)."
    ),
)


@app.callback()
def _main(
    context: typer.Context,
    corpus: CorpusOption = None,
    index: IndexOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
) -> None:
    context.obj = {"corpus": corpus, "index": index, "model": model, "store": store}
