"""What askai says of its own beside quotations, in the language of the question: why it does not
answer, and what it shows."""

from collections.abc import Sequence

_REFUSALS = {
    "missing": {
        "en": "Not in these documents: they nowhere mention {names}.",
        "zh": "这些文件没有答案：其中任何地方都没有提到{names}。",
        "fr": "Pas dans ces documents : ils ne mentionnent nulle part {names}.",
        "es": "No está en estos documentos: en ninguna parte mencionan {names}.",
    },
    "apart": {
        "en": "Not in these documents: what comes closest does not speak of {names}.",
        "zh": "这些文件没有答案：与问题最接近的内容没有谈到{names}。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus ne parle pas de {names}.",
        "es": "No está en estos documentos: lo más cercano a la pregunta no habla de {names}.",
    },
    "quantity": {
        "en": "Not in these documents: what comes closest gives no such number.",
        "zh": "这些文件没有答案：最接近的内容没有给出这个数字。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus ne donne pas ce nombre.",
        "es": "No está en estos documentos: lo más cercano no da ese número.",
    },
    "money": {
        "en": "Not in these documents: what comes closest gives no such sum.",
        "zh": "这些文件没有答案：最接近的内容没有给出这个金额。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus ne donne pas cette somme.",
        "es": "No está en estos documentos: lo más cercano no da esa suma.",
    },
    "silent": {
        "en": "Not in these documents: they speak of {names}, but not of what is asked.",
        "zh": "这些文件没有答案：文件谈到了{names}，但没有谈到所问的内容。",
        "fr": "Pas dans ces documents : ils parlent de {names}, mais pas de ce qui est demandé.",
        "es": "No está en estos documentos: hablan de {names}, pero no de lo que se pregunta.",
    },
    "time": {
        "en": "Not in these documents: what comes closest gives no such date.",
        "zh": "这些文件没有答案：最接近的内容没有给出这个时间。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus ne donne pas cette date.",
        "es": "No está en estos documentos: lo más cercano no da esa fecha.",
    },
    "person": {
        "en": "Not in these documents: what comes closest names nobody in that office.",
        "zh": "这些文件没有答案：最接近的内容没有说明由谁担任。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus ne dit pas qui l’est.",
        "es": "No está en estos documentos: lo más cercano no nombra a nadie en ese cargo.",
    },
    "place": {
        "en": "Not in these documents: what comes closest names no such place.",
        "zh": "这些文件没有答案：最接近的内容没有说明地点。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus ne nomme pas ce lieu.",
        "es": "No está en estos documentos: lo más cercano no nombra ese lugar.",
    },
    "reason": {
        "en": "Not in these documents: what comes closest gives no reason for it.",
        "zh": "这些文件没有答案：最接近的内容没有说明原因。",
        "fr": "Pas dans ces documents : ce qui s’en approche le plus n’en donne pas la raison.",
        "es": "No está en estos documentos: lo más cercano no da el motivo.",
    },
    "far": {
        "en": "Not in these documents: no passage comes close enough to the question.",
        "zh": "这些文件没有答案：没有任何段落与问题足够接近。",
        "fr": "Pas dans ces documents : aucun passage n’est assez proche de la question.",
        "es": "No está en estos documentos: ningún pasaje se acerca lo bastante a la pregunta.",
    },
}
_BESIDE = {
    "closest": {
        "en": "What comes closest:",
        "zh": "最接近的内容：",
        "fr": "Ce qui s’en approche le plus :",
        "es": "Lo más cercano:",
    },
    "unreadable": {
        "en": "Files that could not be read, and might say it:",
        "zh": "无法读取、但可能包含答案的文件：",
        "fr": "Fichiers qui n’ont pas pu être lus et qui pourraient le dire :",
        "es": "Archivos que no se pudieron leer y que podrían decirlo:",
    },
    "disagree": {
        "en": "The sources disagree. {about}: {values}",
        "zh": "各来源说法不一。{about}：{values}",
        "fr": "Les sources ne concordent pas. {about} : {values}",
        "es": "Las fuentes no coinciden. {about}: {values}",
    },
    "asked": {
        "en": "Asked of {documents} of {of} documents{undated}.",
        "zh": "只查了 {of} 份文件中的 {documents} 份{undated}。",
        "fr": "Question posée à {documents} documents sur {of}{undated}.",
        "es": "Preguntado a {documents} de {of} documentos{undated}.",
    },
    "partial": {
        "en": "Incomplete: {missing} of {shards} parts of the index could not be asked "
        "({addresses}).",
        "zh": "不完整：索引共 {shards} 个分片，其中 {missing} 个无法查询（{addresses}）。",
        "fr": "Incomplet : {missing} des {shards} parties de l’index n’ont pas pu être interrogées "
        "({addresses}).",
        "es": "Incompleto: no se pudo preguntar a {missing} de las {shards} partes del índice "
        "({addresses}).",
    },
    "undated": {
        "en": " (left out: {count} without a date in the form YYYY-MM-DD)",
        "zh": "（另有 {count} 份没有 YYYY-MM-DD 形式的日期，未查）",
        "fr": " (laissés de côté : {count} sans date de la forme AAAA-MM-JJ)",
        "es": " (dejados fuera: {count} sin fecha de la forma AAAA-MM-DD)",
    },
}
_QUOTED = {"en": "“{}”", "zh": "“{}”", "fr": "« {} »", "es": "«{}»"}


def beside(key: str, *, language: str, **values: object) -> str:
    """A line beside quotations; English where the language is another one."""
    lines = _BESIDE[key]
    return lines.get(language, lines["en"]).format(**values)


def refusal(reason: str, names: Sequence[str], *, language: str) -> str:
    """One sentence for a verdict's reason; English where the language is another one."""
    spoken = language if language in _QUOTED else "en"
    joined = ("、" if spoken == "zh" else ", ").join(_QUOTED[spoken].format(n) for n in names)
    return _REFUSALS[reason][spoken].format(names=joined)
