"""An index in PostgreSQL with pgvector: published there whole, read from there by any machine.

connection.py   addresses, connections, one snapshot for a question
tables.py       the tables, by version, and what is said of the index as a whole
texts.py        any text in columns that take no NUL
catalog.py, vectors.py, words.py    what a question reads: the seams' reading sides
published.py    an index opened to read
sharding.py, sharded.py, sharded_parts.py, publish_shards.py
                the same on several servers, each with the documents that are its own
opened.py       one or the other, by how many addresses there are
publish.py, rows.py, postings.py    bringing the tables to what an index folder holds
nearest.py      the approximate index over many vectors, and how much it finds
health.py       what `askai doctor` looks at

Nothing outside this folder imports psycopg or pgvector, and nothing imports this folder before an
address is set.
"""

from askai.errors import StoreError

try:  # before any module of this folder is
    import pgvector.psycopg  # noqa: F401
    import psycopg  # noqa: F401
    import psycopg_pool  # noqa: F401
except ModuleNotFoundError as error:
    raise StoreError(
        f"An index on a server needs the package {error.name}, which is not installed: "
        "pip install 'askai[postgres]'"
    ) from error
