"""Records as the JSON objects that programs read; their forms are the files in `schemas/`."""

from __future__ import annotations  # names of types whose modules are too heavy for `status`

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from askai.alias_mining import Suggestion
    from askai.changes import Changes, FileStatus
    from askai.cite import Context
    from askai.doctor import Check
    from askai.embedders.models import ModelInfo
    from askai.index_report import IndexReport
    from askai.manifest import Manifest
    from askai.parts.manifest import PartsManifest
    from askai.records import Answer, Citation, Hit, Partial, Skipped
    from askai.scope import Scope
    from askai.verify import Verification

ShownPath = Callable[[str], str]  # a source's path relative to the working directory


def answer_object(
    answer: Answer,
    *,
    manifest: Manifest,
    embedder: str,
    shown: ShownPath,
    scope: Scope | None = None,
    partial: Partial | None = None,
) -> dict[str, Any]:
    """schemas/answer.json."""
    gave_up = answer.abstention
    return {
        "schema": "askai.answer/1",
        "question": answer.question,
        "language": answer.language,
        "status": answer.status,
        "answer": answer.text,
        "sentences": [{"text": s.text, "citations": list(s.citations)} for s in answer.sentences],
        "citations": [_citation(c, shown) for c in answer.citations],
        "conflicts": [
            {"about": c.about, "values": [asdict(value) for value in c.values]}
            for c in answer.conflicts
        ],
        "abstention": None
        if gave_up is None
        else {
            "reason": gave_up.reason,
            "missing": list(gave_up.missing),
            "closest": [_citation(c, shown) for c in gave_up.closest],
            "unreadable": [shown(path) for path in gave_up.unreadable],
        },
        "confidence": answer.confidence,
        "passages": [_passage(hit, shown) for hit in answer.passages],
        "index": _index(manifest, embedder),
        "scope": _scope(scope),
        "partial": _partial(partial),
        "timings_ms": answer.timings_ms,
    }


def passages_object(
    query: str,
    hits: Sequence[Hit],
    *,
    manifest: Manifest,
    embedder: str,
    shown: ShownPath,
    scope: Scope | None = None,
    partial: Partial | None = None,
) -> dict[str, Any]:
    """schemas/passages.json."""
    return {
        "schema": "askai.passages/1",
        "query": query,
        "passages": [_passage(hit, shown) for hit in hits],
        "index": _index(manifest, embedder),
        "scope": _scope(scope),
        "partial": _partial(partial),
    }


def context_object(context: Context, *, shown: ShownPath) -> dict[str, Any]:
    """schemas/context.json."""
    source = context.source
    return {
        "schema": "askai.context/1",
        "source": shown(source.path),
        "sha256": source.sha256,
        "reader": f"{source.reader}/{source.version}",
        "title": source.title,
        "start": context.start,
        "end": context.end,
        "before": context.before,
        "quote": context.quote,
        "after": context.after,
        "heading": list(context.heading),
        "label": context.label or None,
    }


def verification_object(verification: Verification) -> dict[str, Any]:
    """schemas/verification.json."""
    return {
        "schema": "askai.verification/1",
        "question": verification.question,
        "status": verification.status,
        "provable": verification.provable,
        "detail": verification.detail,
        "citations": [
            {**asdict(proof), "found_at": list(proof.found_at) if proof.found_at else None}
            for proof in verification.citations
        ],
        "sentences": [asdict(proof) for proof in verification.sentences],
    }


def index_object(report: IndexReport, *, corpus: str, index: str) -> dict[str, Any]:
    """schemas/index.json."""
    return {
        "schema": "askai.index/1",
        "corpus": corpus,
        "index": index,
        "generation": report.generation,
        "built": report.built,
        "documents": report.documents,
        "passages": report.chunks,
        "read": report.read,
        "embedded": report.embedded,
        "formats": [asdict(counts) for counts in report.formats],
        "pages_without_text": [
            {"path": path, "pages": list(pages)}
            for path, pages in report.pages_without_text.items()
        ],
        "skipped": [_skipped(skip) for skip in report.skipped],
        "encodings": [{"path": p, "encoding": e} for p, e in report.encodings.items()],
        "seconds": round(report.seconds, 2),
    }


def export_object(manifest: PartsManifest, *, address: str) -> dict[str, Any]:
    """schemas/export.json."""
    return {
        "schema": "askai.export/1",
        "address": address,
        "generation": manifest.generation,
        "documents": manifest.counts.documents,
        "passages": manifest.counts.chunks,
        "vectors": manifest.counts.texts,
        "parts": len(manifest.parts),
        "bytes": sum(file.size for part in manifest.parts for file in part.files),
    }


def checks_object(checks: Sequence[Check]) -> dict[str, Any]:
    """schemas/doctor.json."""
    return {
        "schema": "askai.doctor/1",
        "well": all(check.state != "wrong" for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def status_object(
    manifest: Manifest,
    changes: Changes,
    skipped: Sequence[Skipped],
    *,
    corpus: str,
    index: str,
    model: str,
    files: Sequence[FileStatus] | None = None,
) -> dict[str, Any]:
    """schemas/status.json; `model` is the one that is set."""
    made = manifest.settings["embedder"]
    return {
        "schema": "askai.status/1",
        "corpus": corpus,
        "index": index,
        "generation": manifest.generation,
        "created": manifest.created,
        "askai": manifest.askai,
        "fingerprint": manifest.fingerprint,
        "embedder": {"name": made["name"], "fingerprint": made["fingerprint"]},
        "model_set": model,
        "documents": manifest.counts.documents,
        "passages": manifest.counts.chunks,
        "vectors": {name: asdict(store) for name, store in manifest.stores.items()},
        "skipped": [_skipped(skip) for skip in skipped],
        "files": None if files is None else [asdict(file) for file in files],
        "up_to_date": changes.count == 0,
        "changes": {
            "added": list(changes.added),
            "changed": list(changes.changed),
            "removed": list(changes.removed),
            "descriptions": changes.descriptions,
        },
    }


def models_object(models: Sequence[ModelInfo]) -> dict[str, Any]:
    """schemas/models.json."""
    return {
        "schema": "askai.models/1",
        "models": [{**asdict(m), "languages": list(m.languages)} for m in models],
    }


def _citation(citation: Citation, shown: ShownPath) -> dict[str, Any]:
    source = citation.source
    return {
        "n": citation.n,
        "source": shown(source.path),
        "sha256": source.sha256,
        "reader": f"{source.reader}/{source.version}",
        "encoding": source.encoding,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "title": source.title,
        "publisher": source.publisher,
        "published": source.published,
        "page": citation.page,
        "heading": list(citation.heading),
        "label": citation.label or None,
        "score": citation.score,
    }


def _passage(hit: Hit, shown: ShownPath) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "rank": hit.rank,
        "source": shown(chunk.path),
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "heading": list(chunk.heading),
        "label": chunk.label or None,
        "language": chunk.language,
        "scores": {
            "dense": round(hit.dense, 4),
            "lexical": round(hit.lexical, 4),
            "rerank": hit.rerank,
            "final": round(hit.score, 4),
        },
        "ranks": {"dense": hit.dense_rank, "lexical": hit.lexical_rank},
    }


def _index(manifest: Manifest, embedder: str) -> dict[str, Any]:
    return {
        "generation": manifest.generation,
        "fingerprint": manifest.fingerprint,
        "embedder": embedder,
    }


def _scope(scope: Scope | None) -> dict[str, Any] | None:
    if scope is None:
        return None
    counts = {"documents": scope.documents, "of": scope.of, "undated": scope.undated}
    return {**asdict(scope.filters), **counts}


def _partial(partial: Partial | None) -> dict[str, Any] | None:
    return {"shards": partial.shards, "missing": list(partial.missing)} if partial else None


def _skipped(skip: Skipped) -> dict[str, str]:
    return {"path": skip.path, "reason": skip.reason}


def suggestions_object(found: Sequence[Suggestion], *, shown: ShownPath) -> dict[str, Any]:
    """schemas/aliases.json."""
    return {
        "schema": "askai.aliases/1",
        "suggestions": [
            {"names": list(s.names), "source": shown(s.path), "start": s.start, "end": s.end}
            for s in found
        ],
    }
