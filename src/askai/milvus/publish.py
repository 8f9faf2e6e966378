"""Brings the collections to what a generation of an index folder holds.

Everything that is new is added, then the state that names it; so a reader sees the state before or
this one, whole, and a publication that is killed leaves rows that no state names. The next one
takes these out before it begins, and afterwards what no state that can be read shows any more.

All is put into a new epoch where more than half has changed, where there are too many documents to
be left out one by one, and where the vectors have become too many to be looked at all.
"""

import dataclasses
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

from askai.errors import IndexDamaged, IndexMismatch
from askai.lexical.block_updates import update_words
from askai.milvus import nearest
from askai.milvus.catalog import Listed, MilvusCatalog, source_thing, things_of_document
from askai.milvus.collections import (
    GARBAGE,
    PART,
    TABLES,
    IndexKind,
    Thing,
    as_json,
    create_epoch,
    create_state,
    digest,
    epoch_name,
    key_of,
    packed,
    rows_of,
    vector_index,
    vector_rows,
)
from askai.milvus.connection import Address, Client
from askai.milvus.lease import BEAT, SECONDS, Lease
from askai.milvus.postings import MilvusWordTables
from askai.milvus.published import (
    ALIASES,
    MANIFEST,
    QUESTIONS,
    SHARES,
    SKIPPED,
    WORDS,
    parts_of,
)
from askai.milvus.snapshot import Snapshot
from askai.milvus.state import (
    GRACE,
    Dead,
    PartAt,
    State,
    forget_states,
    highest_number,
    me,
    oldest_after,
    read_state,
    write_state,
)
from askai.milvus.sweeping import epochs, sweep
from askai.milvus.vectors import EXACT, KIND, MilvusVectors
from askai.publication import (
    LocalIndex,
    Plan,
    Progress,
    Published,
    VectorBatch,
    check_model,
    planned,
    unchanged,
)
from askai.servers import Table
from askai.stores import Found
from askai.units import numbered

_MOST_DEAD = 20_000  # documents that every filter has to name


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What tests choose otherwise."""

    grace: float = GRACE  # seconds
    lease: float = SECONDS
    beat: float = BEAT
    exact: int = EXACT  # vectors above which an approximate index finds them
    enough: float = nearest.ENOUGH  # of its recall
    most_dead: int = _MOST_DEAD  # documents


LIMITS = Limits()


def publish(
    local: LocalIndex,
    address: Address,
    *,
    replace: bool = False,
    progress: Progress = lambda *_: None,
    limits: Limits = LIMITS,
) -> Published:
    """Publishes `local`; see `askai.servers.Server.publish`."""
    with address.connect() as client:
        create_state(client, address.name)
        with Lease(client, seconds=limits.lease, beat=limits.beat):
            state = read_state(client, anew=replace)
            before = Snapshot(address, client, state=state) if state else None
            if before and not replace:
                there = _manifest(before)
                check_model(
                    local, manifest=there, model=before.state.model, where=address.masked,
                    replace=replace,
                )  # fmt: skip
                if _is_there(local, before.state):
                    return unchanged(local)
            sweep(client, state, replace=replace)
            return _Publication(local, client, before, limits).carry_out(
                replace=replace, progress=progress
            )


def _manifest(before: Snapshot) -> str:
    return parts_of(before, [MANIFEST])[MANIFEST].decode("utf-8", "surrogatepass")


def _is_there(local: LocalIndex, before: State) -> bool:
    same = before.generation == local.manifest.generation
    return same and before.parts[ALIASES].digest == _digest(_text(local.aliases))


@dataclass(slots=True)
class _Publication:
    """One that is going on."""

    local: LocalIndex
    client: Client
    before: Snapshot | None
    limits: Limits
    outdated: list[str] = field(default_factory=list)  # primary keys of versions that are past

    def carry_out(self, *, replace: bool, progress: Progress) -> Published:
        state = self.before.state if self.before else None
        listed = self._listed(replace=replace)
        plan = self._plan(listed, replace=replace, progress=progress)
        number = highest_number(self.client) + 1
        chunks = plan.chunks()
        dim = self._dim()
        whole = not plan.kept
        if not whole and self._needs_an_epoch(plan, dim):
            plan = self._plan(listed, replace=True, progress=progress)
            whole, chunks = True, plan.chunks()
        kinds = self._kinds()
        epoch = state.epoch if state and not whole else max(epochs(self.client), default=0) + 1
        if whole:
            create_epoch(self.client, self.client.address.name, epoch, dim=dim, kinds=kinds)
        rows = self._name(epoch, "rows")
        self._put_things(rows, plan, number)
        if not whole:
            self._put_moved(rows, plan, listed, number)
        self._put_vectors(epoch, "passage_vectors", plan.vectors(chunks))
        self._put_vectors(epoch, "unit_vectors", plan.unit_vectors(chunks))
        words = MilvusWordTables(self.client, rows, None if whole else self.before, born=number)
        update_words(words, None if whole else plan.gone, plan.words(chunks))
        self.outdated += words.outdated
        passages, tokens, numbers = words.written
        at = time.time()
        new = State(
            number=number, generation=self.local.manifest.generation, at=at, publisher=me(),
            model=self.local.manifest.settings["embedder"]["fingerprint"], dim=dim, epoch=epoch,
            next=plan.next + len(plan.new), passages=passages, tokens=tokens, numbers=numbers,
            postings=words.postings, found_by={}, parts={},
            oldest=oldest_after(state, at, self.limits.grace) if state else number,
            dead=self._dead(plan, number, at, whole=whole),
        )  # fmt: skip
        self.client.settled([rows, *(self._name(epoch, table) for table in TABLES)])
        found, questions = self._measured(new, kinds if whole else None)
        parts = self._put_parts(rows, number, questions, whole=whole)
        self._put_outdated(rows, number)
        new = dataclasses.replace(new, found_by=found, parts=parts)
        write_state(self.client, new)
        forget_states(self.client, new)
        if any(one.number <= new.oldest for one in new.dead):
            sweep(self.client, new)
        return plan.published

    def _listed(self, *, replace: bool) -> list[Listed]:
        """The documents that are there; where all is put in anew they may be damaged."""
        if self.before is None:
            return []
        try:
            return MilvusCatalog(self.before).listed()
        except (IndexDamaged, IndexMismatch):
            if replace:
                return []
            raise

    def _plan(self, listed: list[Listed], *, replace: bool, progress: Progress) -> Plan:
        there = {one.source.path: one.before for one in listed}
        next_ = self.before.state.next if self.before else 0
        return planned(self.local, there, replace=replace, progress=progress, next_=next_)

    def _needs_an_epoch(self, plan: Plan, dim: int) -> bool:
        if self.before is None:
            return True
        state = self.before.state
        dead = sum(len(one.documents) for one in state.dead) + len(plan.gone)
        grown = any(
            kind == "HNSW" and not state.found_by[table]["sample"]
            for table, kind in self._kinds().items()
        )
        return dead > self.limits.most_dead or grown or dim != state.dim

    def _kinds(self) -> dict[Table, IndexKind]:
        counts = {table: self._count(table) for table in TABLES}
        exact = self.limits.exact
        return {table: nearest.kind_for(n, exact=exact) for table, n in counts.items()}

    def _count(self, table: Table) -> int:
        units = [units for *_, units in self.local.catalog.chunk_places()]
        return len(units) if table == "passage_vectors" else sum(units)

    def _dim(self) -> int:
        for id_, *_ in self.local.catalog.chunk_places():
            return int(self.local.store.vectors([id_]).shape[1])
        return 2  # the least that Milvus takes

    def _name(self, epoch: int, what: str) -> str:
        return epoch_name(self.client.address.name, epoch, what)

    def _put_things(self, rows: str, plan: Plan, number: int) -> None:
        things = (t for new in plan.documents() for t in things_of_document(new, number))
        self.client.put(rows, rows_of(things))

    def _put_moved(self, rows: str, plan: Plan, listed: list[Listed], number: int) -> None:
        """Documents that are the same, in another place or of a file with another time."""
        moved = plan.moved
        for one in listed:
            if one.source.path in moved:
                old = source_thing(one, one.born)
                pieces = range(len(packed(old.content)))
                self.outdated += [key_of(old, part) for part in pieces]
                new = source_thing(one, number, moved[one.source.path][1])
                self.client.put(rows, rows_of([new]))

    def _put_vectors(self, epoch: int, table: Table, batches: Iterable[VectorBatch]) -> None:
        for batch in batches:
            self.client.put(self._name(epoch, table), vector_rows(*batch))

    def _dead(self, plan: Plan, number: int, at: float, *, whole: bool) -> tuple[Dead, ...]:
        if self.before is None:
            return ()
        state = self.before.state
        still = [one for one in state.dead if one.number > state.oldest]
        if whole:
            epochs = [one for one in still if one.epoch is not None]
            return (*(dataclasses.replace(one, documents=()) for one in epochs),
                    Dead(number, at, epoch=state.epoch))  # fmt: skip
        return (*still, Dead(number, at, tuple(plan.gone)))

    def _measured(
        self, state: State, made: dict[Table, IndexKind] | None
    ) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """How vectors are found, by table, and the questions that it was measured by; `made` are
        the kinds of indexes of a new epoch."""
        found: dict[str, dict[str, Any]] = {}
        questions: dict[str, Any] = {}
        snapshot = Snapshot(self.client.address, self.client, state=state)
        stores = dict(zip(TABLES, (self.local.store, self.local.units), strict=True))
        for table, store in stores.items():
            count, kind = self._count(table), self._is_kind(table, made)
            if kind == "FLAT":
                found[table] = asdict(Found("flat", count, 1.0, 0))
                continue
            asked = nearest.questions_about(store, self._ids(table))
            vectors = MilvusVectors(snapshot, table, dim=state.dim, found=Found(KIND, 0, 0.0, 0))
            recall = nearest.recall(vectors, asked)
            if made and recall < self.limits.enough:
                self.client.reindex(self._name(state.epoch, table), vector_index("FLAT"))
                found[table] = asdict(Found("flat", count, 1.0, nearest.SAMPLE))
                continue
            found[table] = asdict(Found(KIND, count, round(recall, 4), nearest.SAMPLE))
            questions[table] = nearest.to_json(asked)
        return found, questions

    def _is_kind(self, table: Table, made: dict[Table, IndexKind] | None) -> IndexKind:
        if made:
            return made[table]
        there = self.before.state.found_by[table]["kind"] if self.before else "flat"
        return "HNSW" if there == KIND else "FLAT"

    def _ids(self, table: Table) -> list[str]:
        places = self.local.catalog.chunk_places()
        if table == "passage_vectors":
            return [id_ for id_, *_ in places]
        return [numbered(id_, n) for id_, _, _, units in places for n in range(units)]

    def _put_parts(
        self, rows: str, number: int, questions: dict[str, Any], *, whole: bool
    ) -> dict[str, PartAt]:
        """Those that have changed; returns where all are."""
        local = self.local
        contents = {
            MANIFEST: as_json(asdict(local.manifest)),
            SKIPPED: _text(local.skipped),
            ALIASES: _text(local.aliases),
            SHARES: _text(local.shares),
            WORDS: local.words,
            QUESTIONS: json.dumps(questions).encode(),
        }
        there = self.before.state.parts if self.before and not whole else {}
        parts = {}
        for name, content in contents.items():
            before = there.get(name)
            if before and before.digest == _digest(content):
                parts[name] = before
                continue
            thing = Thing(kind=PART, key=digest(name), born=number, content=content)
            pieces = [*rows_of([thing])]
            self.client.put(rows, pieces)
            parts[name] = PartAt(_digest(content), number, len(pieces))
            if before:
                self.outdated += before.keys(name)
        return parts

    def _put_outdated(self, rows: str, number: int) -> None:
        """Names what this state no longer shows, for the publication that takes it out."""
        if self.outdated:
            thing = Thing(
                kind=GARBAGE, key=digest("outdated"), born=number, content=as_json(self.outdated)
            )
            self.client.put(rows, rows_of([thing]))


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
