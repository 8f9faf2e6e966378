"""What can go wrong with a benchmark, as one line for the person who runs it."""


class BenchError(Exception):
    """Says what was found, what was expected and what to do."""
