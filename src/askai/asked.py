"""What kind of thing a question asks for, where its words say so, and whether a text has one."""

import re
from typing import Literal

from askai.tokens import folded

Asked = Literal[
    "quantity", "share", "rank", "money", "time", "day", "area", "energy", "place", "code",
    "reason", "founder", "mayor", "chief", "president", "minister", "head",
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
_HEAD = re.compile(
    r"\bwho (?:heads|runs|manages|chairs|is in charge)\b|\bqui (?:dirige|gere|pilote|preside)\b"
    r"|\bquien (?:dirige|gestiona|preside)\b|由谁(?:负责|管理|领导|掌管)"
)
_HEADED = re.compile(
    r"\b(?:head(?:s|ed)?|(?:run|managed|led) by|chair(?:s|ed|man|woman|person)?|in charge)\b"
    r"|\b(?:ceo|manager|chief|president|dirige\w*|dirigid[oa]s?|gere|geree?|pilote\w*|preside\w*|gestiona)\b"
    r"|\bdirect(?:o|eu)r\b|负责|主管|掌管|领导|总经理|董事长"
)
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
    r"\bhow (?:many|much)\b|\b(?:what )?number of\b|\bwhat number\b"
    r"|\b(?:combien|nombre d)\b|\bquel nombre\b|\bcuant[oa]s?\b|\b(?:que parte|numero de)\b"
    r"|\b(?:population|poblacion|habitants|habitantes)\b"
    r"|多少|数量|数目|人数|人口|有几|(?<![哪这那好])几(?:个|家|所|项|座|种|条|人)"
)
# What a firm or a thing is registered under: no quantity, though it is asked for with 多少.
_CODE = re.compile(
    r"\b(?:stock|ticker|company|security) (?:code|symbol|number)\b|\bticker\b"
    r"|\bcode boursier\b|\bcodigo (?:bursatil|de bolsa)\b|\bsimbolo bursatil\b"
    r"|\b(?:phone|telephone|telefono) numbers?\b|\bnumero de tele(?:phone|fono)\b"
    r"|(?:股票|证券)代[码号]|代码|电话号码"
)
_CODED = re.compile(r"\d{3,}(?!\w)|\b(?:nasdaq|nyse|hkex|sse|szse)\b")
_AREA = re.compile(
    r"\b(?:what|which|total|floor|land) area\b|\barea of\b|\bsquare k|\bsuperfic(?:ie|y)\b|面积"
)
_AREA_UNIT = re.compile(
    r"\d\s*(?:[km]?m[²2]|ha\b|hect[aá]r|acres?\b|sq\b|square|(?:kilo)?m[eè]tres? carr"
    r"|(?:kil[oó])?metros? cuadrad)|平方|公顷|\d\s*亩",
    re.IGNORECASE,
)
_ENERGY = re.compile(
    r"\b(?:power|electricity|energy) (?:use|usage|consumption|demand)\b"
    r"|\bconsommation (?:d['’]electricite|d['’]energie|electrique|energetique)\b"
    r"|\bconsumo (?:de electricidad|de energia|electrico|energetico)\b|(?:耗|用)电量?|能耗"
)
_ENERGY_UNIT = re.compile(r"\d\s*(?:[kmgt]?wh?|kilowatt|megawatt|gigawatt|terawatt)|千瓦|兆瓦|度电")
_MONEY = re.compile(
    r"\bhow much (?:money\b|.*\b(?:cost|earn|charge|profit|spend|invest)s?\b)"
    r"|\bwhat(?: is the|['’]?s the)? price\b|^prices? of\b"
    r"|\b(?:que|cual es el) precio\b|^precios? de\b|\bquel(?: est le)? prix\b|^prix d[eu]\b"
    r"|\bamount (?:awarded|granted|paid|of money)\b|\bmontant\b"
    r"|\b(?:revenues?|turnover|valuation|market cap(?:italisation)?|chiffre d['’]affaires"
    r"|valorisation|cuanto cuestan?|combien coute(?:nt)?|ingresos anuales)\b"
    r"|多少钱|价格(?:是|为)?多少|售价|营收|营业收入|估值|市值|票价"
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
    r"|何时|什么时候|哪一?年|几月"
)
_DAY = re.compile(
    r"\b(?:what|which) (?:day|exact date)\b|\bquel jour\b|\bque dia\b|\bdate exacte\b"
    r"|\bfecha exacta\b|哪一?天|几月几[日号]|几号"
)
_WHY = re.compile(
    r"\bwhy\b|\breasons? (?:for|why|behind|that)\b|\bwhat (?:is|was|were|are) the reasons?\b"
    r"|\bpourquoi\b|\bquelles? (?:est|sont|etait|etaient) les? raisons?\b"
    r"|\bpour quelles? raisons?\b|\bpor que\b|\bque motivos?\b"
    r"|\bcual (?:es|era|fue) (?:el motivo|la razon)\b|\ba que se debe\b"
    r"|为什么|为何|为啥|什么原因|原因是什么"
)
# How a text gives a reason or a purpose; what that tells apart is in docs/retrieval.md.
_BECAUSE = re.compile(
    r"\bbecause\b|\bdue to\b|\bowing to\b|\bthanks to\b|\bso that\b|\bin order\b|\bsince\b"
    r"|\bafter\b|\bto [a-z]{3,}\b|\breasons?\b|\bcaus\w+|\bcit(?:es?|ed|ing)\b|\bblam\w+"
    r"|\bmotiv\w+|\bfears?\b|\b(?:lack|shortage) of\b|\b(?:necessary|needed|essential) (?:for|to)\b"
    r"|\bcar\b|\bparce qu|\bpuisqu|\bpour\b|\bafin\b|\bfaute de\b|\bgrace a\b|\braisons?\b"
    r"|\bapres\b|\bnecessaires? (?:a|pour)\b|\bporque\b|\bpara\b|\bdebido\b|\bgracias a\b"
    r"|\btras\b|\bya que\b|\brazon(?:es)?\b|\bcitand?o\b|\bnecesari[oa]s? para\b"
    r"|因|由于|为了|以便|原因|理由|旨在|归咎|归功|必需|必要"
)
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
# Numbers in words, from two: "one" and "un" are articles more often than numbers.
_NUMBER_WORD = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?"
    r"|millions?|billions?|trillions?|half|third|twice|double"
    r"|deux|trois|quatre|cinq|sept|huit|neuf|dix|douze|cent|cents|mille|moitie|tiers"
    r"|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|doce|ciento|cientos|mil|mitad|tercio)\b"
    # A Chinese number counts something: 十五五 is the name of a plan.
    r"|[两二三四五六七八九十百千万亿]+[多余]?(?:[个家所项座种条人名位倍次台套款类级大小层万亿元]|公里|平方)|半数|一半"
)
# Numbers that count nothing: stock codes, 5G and R1, the 15th plan, a five-year plan, No. 1863.
_NAMING = re.compile(
    r"\b\d+\.(?:hk|sz|sh|us)\b|\b[a-z]+[-‐‑]?\d+\b|\b\d+(?:g|d)\b|\b\d+(?:st|nd|rd|th|e|er)\b"
    r"|\b\w+-year\b|\bno\. ?\W*\d+|\b(?:table|figure|tabla|tableau) \d+"
)
# A share counts nobody: "40 %" does not say how many people live in a city.
_HOW_MANY = re.compile(
    r"\bhow many\b|\bcombien d['’e]|\bcuant[oa]s\b|\b(?:population|poblacion)\b"
    r"|多少[人家个所]|人口"
)
_PERCENT = re.compile(r"\d+(?:[.,]\d+)*\s*(?:%|per ?cent\b|pour cent\b|por ciento\b)|百分之\S")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
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


# In which place, and not which of several things that have one.
_WHICH_PLACE = re.compile(
    r"^\W*(?:(?:in|to|from|near|around) )?(?:which|what) (?:\w+ ){0,2}"
    r"(?:city|cities|town|province)\b"
    r"|^\W*where\b|^\W*(?:d['’])?ou (?!.* ou )|^\W*(?:a |de )?donde\b"
    r"|^\W*(?:(?:dans|de|a|vers) )?quelles? (?:\w+ )?(?:villes?|province)\b"
    r"|^\W*(?:(?:en|de|a|por) )?(?:que|cual(?:es)?) (?:\w+ )?(?:ciudad(?:es)?|provincia)\b"
    r"|(?:在|位于)哪(?:个|座|些|几座)?(?:城市|省)|在哪[里儿]|位于哪里"
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


# In this order: "how much money" is no mere quantity, the day that something opened no time, and
# why a number grows is not the number.
_QUESTIONS: dict[Asked, re.Pattern[str]] = {
    "reason": _WHY,
    "code": _CODE,
    "day": _DAY,
    "time": _TIME,
    "money": _MONEY,
    "share": _SHARE,
    "rank": _RANK,
    "area": _AREA,
    "energy": _ENERGY,
    "quantity": _QUANTITY,
    "place": _WHICH_PLACE,
    "head": _HEAD,
}


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
    prices, "area" and "energy" by their units, "code" of a share, "time" for when and "day" for a
    date, "place" for where, "reason" for why, an office for who holds it; None where the words
    do not say."""
    plain = folded(question).strip()
    found = next((asked for asked, words in _QUESTIONS.items() if words.search(plain)), None)
    if found or not _WHO.search(plain):
        return found
    return next((role for role, words in _ROLES.items() if words.search(plain)), None)


def kind_of(asked: Asked) -> Literal["quantity", "money", "time", "person", "place", "reason"]:
    """What a refusal says is not given."""
    if asked == "money" or asked == "place" or asked == "reason":  # noqa: PLR1714  for the types
        return asked
    if asked == "head" or asked in _ROLES:
        return "person"
    return "time" if asked in {"time", "day"} else "quantity"


def gives(text: str, asked: Asked | None, *, question: str = "") -> bool:
    """Whether a text has a thing of the kind asked for: a year is no quantity, a count no time, and
    who holds an office is not said where the office is not named.

    A number that the question gives itself is no answer to it. A place is never missed here: which
    words are places only the aliases know (`gate.Gate`).
    """
    if asked is None or asked == "place":
        return True
    if asked in _ROLES:
        return bool(_ROLES[asked].search(folded(text)))
    if asked == "reason":
        return bool(_BECAUSE.search(folded(text)))
    plain = _without_numbers_of(question, folded(text))
    counting = _NAMING.sub(" ", _YEAR.sub(" ", plain))
    if asked == "quantity" and _HOW_MANY.search(folded(question)):
        counting = _PERCENT.sub(" ", counting)
    numbered = bool(re.search(r"\d", counting) or _NUMBER_WORD.search(counting))
    return {
        "time": bool(_YEAR.search(plain) or _MONTH.search(plain)),
        "day": bool(_MONTH.search(plain)),
        "money": numbered and bool(_CURRENCY.search(text)),
        "share": bool(_PART.search(folded(text))),
        "rank": bool(_ORDINAL.search(_YEAR.sub(" ", plain))),
        "quantity": numbered,
        "code": bool(_CODED.search(_YEAR.sub(" ", plain))),
        "head": bool(_HEADED.search(plain)),
        "area": bool(_AREA_UNIT.search(text)),
        "energy": bool(_ENERGY_UNIT.search(plain)),
    }[asked]


def _without_numbers_of(question: str, text: str) -> str:
    given = set(_NUMBER.findall(folded(question)))
    return _NUMBER.sub(lambda match: " " if match[0] in given else match[0], text)
