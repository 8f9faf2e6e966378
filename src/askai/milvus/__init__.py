"""An index in Milvus: published there whole, read from there by any machine.

connection.py   addresses, and a client whose errors are sentences
collections.py  the collections, and things of any size in their rows
state.py        publications: which one is current, what it left behind
snapshot.py     one publication as a question reads it
catalog.py, vectors.py, words.py    what a question reads: the seams' reading sides
published.py    an index opened to read
lease.py        one publisher at a time
publish.py, postings.py    bringing the collections to what an index folder holds
sweeping.py     taking out what no state shows any more
nearest.py      the approximate index over many vectors, and how much it finds
health.py       what `askai doctor` looks at
server.py       all of this as `askai.servers` has it

Milvus has no transactions, so nothing that a reader may look at is ever written over. Rows are only
added; a row of a document is there for those who read a state that does not count the document as
gone, and of rows that come in versions (postings, parts) a reader takes the newest that its state
knows. The state is written last, as a row of its own. See `publish` for what that gives.

Nothing outside this folder imports pymilvus, and nothing imports this folder before an address is
used.
"""

import os

from askai.errors import StoreError

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes on stderr what is raised, too
try:
    import pymilvus as _  # noqa: F401  looked for once, for all modules here
except ModuleNotFoundError as error:
    raise StoreError(
        "An index in Milvus needs the package pymilvus, which is not installed: "
        "pip install 'askai[milvus]'"
    ) from error
