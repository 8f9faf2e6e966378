"""What kind of thing a question asks for, where its words say so, and whether a text has one."""

import re
from typing import Literal

from askai.tokens import folded

Asked = Literal[
    "quantity", "share", "rank", "money", "time",
    "founder", "mayor", "chief", "president", "minister",
]  # fmt: skip

# A text that names who holds an office says which: by a word of one of these.
_ROLES: dict[Asked, re.Pattern[str]] = {
    "founder": re.compile(
        r"\bfound(?:ed|er|ers)\b|\bfond(?:ateur|atrice|ateurs|e|ee)\b|\bfund(?:ador\w*|o|ada)\b"
        r"|创始|创办|创立|创建"
    ),
    # "La mayor parte" is Spanish for the largest part.
    "mayor": re.compile(
        r"(?<!\b(?:el|la|un|su) )(?<!\b(?:los|las|una|con) )\bmayors?\b|\bmaire\b|\balcalde|市长"
    ),
    "chief": re.compile(
        r"\bceo\b|\bchief executive|\bpdg\b|\bdirect(?:eu|o)r general|\bdirecteur general"
        r"|首席执行官|总裁|总经理"
    ),
    "president": re.compile(r"\bpresident|\bchair(?:man|woman|person)?\b|董事长|主席|会长|校长"),
    "minister": re.compile(r"\bminist(?:er|re|ro|ra)\b|部长"),
}
_WHO = re.compile(r"\bwho(?:se)?\b|\bqui\b|\bquien(?:es)?\b|谁|\bname of\b|叫什么")

_SHARE = re.compile(
    r"\b(?:what|which) (?:percentage|percent|proportion|share)\b"
    r"|\bquel(?:le)? (?:pourcentage|proportion|part)\b|\bque (?:porcentaje|proporcion)\b"
    r"|百分之几|百分比|占比|比例"
)
_PART = re.compile(
    r"%|‰|\bper ?cent\b|\bpour cent\b|\bpor ciento\b|百分之|[一二三四五六七八九半]成|分之"
    r"|\b(?:half|third|quarter|majority|moitie|tiers|quart|majorite|mitad|tercio|cuarto|mayoria)s?\b"
    r"|\d/\d|\b(?:one|two|three|four|\d+) (?:in|out of) |\bu(?:n|ne|no) sur \b|一半"
)
_RANK = re.compile(
    r"\b(?:what|which) (?:rank|place|position)\b|\bhow (?:high|does .+ rank|is .+ ranked)\b"
    r"|\bquel(?:le)? (?:rang|place|position)\b|\bque (?:puesto|lugar|posicion)\b"
    r"|第几|排名多少|多少名"
)
_ORDINAL = re.compile(
    r"\d|\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|top|last|lead\w*)\b"
    r"|\b(?:premier|premiere|deuxieme|troisieme|\w+ieme|tete)\b"
    r"|\b(?:primer[oa]?|segund[oa]|tercer[oa]?|cuart[oa]|quint[oa]|cabeza)\b|第|首位|榜首|居首"
)
_QUANTITY = re.compile(
    r"\bhow (?:many|much)\b|\bwhat number\b|\b(?:combien|quel nombre)\b"
    r"|\bcuant[oa]s?\b|\bque (?:parte|numero)\b"
    r"|多少|数量|数目|人数|有几|几(?:个|家|所|项|座|种|条|人)"
)
_MONEY = re.compile(
    r"\bhow much (?:money\b|.*\b(?:cost|earn|charge|profit|spend|invest)s?\b)"
    r"|\b(?:revenues?|turnover|valuation|market cap(?:italisation)?|chiffre d['’]affaires"
    r"|valorisation|cuanto cuestan?|combien coute(?:nt)?|ingresos anuales)\b"
    r"|多少钱|营收|营业收入|估值|市值|票价"
)
_CURRENCY = re.compile(
    r"[$€¥£￥]|\b(?:yuan|rmb|renminbi|dollars?|dolares|euros?|usd)\b"
    r"|(?<![公多单状纪])元(?![旦素首])|美金",
    re.IGNORECASE,
)
# "When" asks for a time where the question begins with it, and may not further on.
_TIME = re.compile(
    r"^(?:(?:since|by|until) )?when\b|\b(?:what|which) (?:year|date|month)\b"
    r"|^(?:depuis )?quand\b|\bquelle (?:annee|date)\b"
    r"|^¿?\W*(?:desde )?cuando\b|\bque (?:ano|fecha)\b"
    r"|何时|什么时候|哪一?年|哪一?天|几月"
)
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
# Numbers in words, from two: "one" and "un" are articles more often than numbers.
_NUMBER_WORD = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?"
    r"|millions?|billions?|trillions?|half|third|twice|double"
    r"|deux|trois|quatre|cinq|sept|huit|neuf|dix|douze|cent|cents|mille|moitie|tiers"
    r"|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|ciento|cientos|mil|mitad|tercio)\b"
    r"|[两二三四五六七八九十百千万亿半]"
)
_MONTH = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december"
    r"|janvier|fevrier|mars|avril|juin|juillet|aout|septembre|octobre|novembre|decembre"
    r"|enero|febrero|marzo|abril|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    r"|century|siecle|siglo)\b|世纪|\d月"
)


_PLACE = re.compile(
    r"\bwhere\b|\b(?:which|what) (?:\w+ )?(?:city|cities|town)\b"
    r"|\bheadquarter|\b(?:located|location|based|seat)\b"
    r"|\bou\b|\bquelles? villes?\b|\bsiege\b|\bdonde\b|\b(?:que|cual) ciudad(?:es)?\b|\bsede\b"
    r"|哪(?:个|座|些)?城市|在哪|哪里|哪儿|总部|位于|所在地"
)


_THING = (
    r"(?:(?:an?|the|l[ea]s?|un[ae]?|el|los|las) |l['’])?"
    r"(?:(?!(?:of|de|du|des|del)\b)[\w«»“”\"-]+ ?){1,4}\W*$"
)
_MEANING = re.compile(
    rf"^\W*(?:what(?: is|['’]?s| are)|c['’]est quoi,?|qu['’]est[- ]ce qu(?:e|['’])|que (?:es|son)) "
    rf"{_THING}|^\W*(?:define|que (?:signifie|veut dire|significa)) {_THING}"
    r"|\bwhat does .+ mean\b|\bmeaning of\b|\bmeant by\b"
    r"|什么是|何谓|是什么意思|^[^，,的]{2,12}是什么\W*$"
)
# What is asked for of all who speak of it: every document has something to add.
_ALL = re.compile(
    r"\ball (?:of )?the\b|\b(?:what|which|who|where) are all\b|\beverything\b"
    r"|\btou(?:te)?s les\b(?! (?:ans|jours|mois|semaines|annees))"
    r"|\btod[oa]s l[oa]s\b(?! (?:anos|dias|meses|semanas))|所有|全部|一切"
)


def asks_meaning(question: str) -> bool:
    """Whether a question asks what a thing is, and for nothing more of it."""
    return bool(_MEANING.search(folded(question).strip()))


def asks_all(question: str) -> bool:
    """Whether a question asks for all that is said, and not for one of several things."""
    return bool(_ALL.search(folded(question)))


def asks_place(question: str) -> bool:
    """Whether a question asks where something is."""
    return bool(_PLACE.search(folded(question)))


def asked_for(question: str) -> Asked | None:
    """ "quantity" for how many and how much, "share" of a whole, "rank" in a list, "money" for
    prices, "time" for when, an office for who holds it; None where the words do not say."""
    plain = folded(question).strip()
    if _TIME.search(plain):
        return "time"
    if _MONEY.search(plain):
        return "money"
    if _SHARE.search(plain):
        return "share"
    if _RANK.search(plain):
        return "rank"
    if _QUANTITY.search(plain):
        return "quantity"
    who = _WHO.search(plain)
    return next((role for role, words in _ROLES.items() if who and words.search(plain)), None)


def kind_of(asked: Asked) -> Literal["quantity", "money", "time", "person"]:
    """What a refusal says is not given."""
    if asked == "money" or asked == "time":  # noqa: PLR1714  for the types
        return asked
    return "person" if asked in _ROLES else "quantity"


def gives(text: str, asked: Asked | None) -> bool:
    """Whether a text has a thing of the kind asked for: a year is no quantity, a count no time, and
    who holds an office is not said where the office is not named."""
    plain = folded(text)
    if asked is None:
        return True
    if asked in _ROLES:
        return bool(_ROLES[asked].search(plain))
    numbered = bool(re.search(r"\d", plain) or _NUMBER_WORD.search(plain))
    without_years = _YEAR.sub(" ", plain)
    return {
        "time": bool(_YEAR.search(plain) or _MONTH.search(plain)),
        "money": numbered and bool(_CURRENCY.search(text)),
        "share": bool(_PART.search(plain)),
        "rank": bool(_ORDINAL.search(without_years)),
        "quantity": bool(re.search(r"\d", without_years) or _NUMBER_WORD.search(without_years)),
    }[asked]
