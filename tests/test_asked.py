"""What kind of thing a question asks for, and whether a text gives it."""

import pytest

from askai.asked import asked_for, asks_all, asks_meaning, asks_place, gives, kind_of

ASKED = [
    ("How much money does DeepSeek earn?", "money"),
    ("How much does a robot from Unitree cost?", "money"),
    ("How much does Hefei invest in chips?", "money"),
    ("What is the revenue of Huawei?", "money"),
    ("What was Tencent's turnover?", "money"),
    ("What's the market cap of Baidu?", "money"),
    ("Quel est le chiffre d’affaires de Huawei ?", "money"),
    ("Combien coûte un robot ?", "money"),
    ("¿Cuánto cuesta un robot?", "money"),
    ("¿Cuáles son los ingresos anuales de Huawei?", "money"),
    ("华为的营收是多少？", "money"),
    ("门票多少钱？", "money"),
    ("When did the revenue rise?", "time"),
    ("How much of the market does Huawei hold?", "quantity"),
    ("Combien de robots ?", "quantity"),
    ("成都的高校数量", "quantity"),
    ("What share of patents is from Beijing?", "share"),
    ("Quelle proportion des brevets vient de Pékin ?", "share"),
    ("¿Qué porcentaje de las patentes es de Pekín?", "share"),
    ("北京的专利占比是多少？", "share"),
    ("Which place does Nanjing hold?", "rank"),
    ("À quelle place Nankin figure-t-elle ?", "rank"),
    ("¿Qué puesto ocupa Nankín?", "rank"),
    ("南京排第几？", "rank"),
    ("who founded deepseek", "founder"),
    ("Qui est le maire de Hefei ?", "mayor"),
    ("¿Quién es el director general de Baidu?", "chief"),
    ("谁是百度的董事长？", "president"),
    ("Who is the minister?", "minister"),
    ("Which cities profit from AI?", "place"),
    ("Who uses the robots?", None),
    ("Combien d'entreprises qui ont un président ?", "quantity"),
    ("Quelle part revient à ceux qui investissent ?", "share"),
    ("¿Quién tiene la mayor cuota?", None),
    ("¿Quién es el alcalde?", "mayor"),
    ("Where is the mayor's office?", "place"),
    ("Is the price of a robot high?", None),
    ("Where does Huawei invest?", "place"),
    ("In which Chinese city is it?", "place"),
    ("Dans quelle ville ?", "place"),
    ("¿En qué ciudad?", "place"),
    ("Où est Huawei ?", "place"),
    ("它在哪座城市？", "place"),
    ("Which of the cities of Jiangsu leads?", "place"),
    ("Where or when?", "place"),
    ("On what day was it shown?", "day"),
    ("Quel jour ?", "day"),
    ("¿Qué día?", "day"),
    ("几月几日", "day"),
    ("What is the total area of the park?", "area"),
    ("Quelle est la superficie du parc ?", "area"),
    ("园区面积多少？", "area"),
    ("consumo electrico de los centros", "energy"),
    ("What is the stock code of Unitree?", "code"),
    ("股票代码是多少？", "code"),
    ("codigo bursatil fourth paradigm", "code"),
    ("At what price is it sold?", "money"),
    ("NOL Fellowship amount awarded", "money"),
    ("que precio tiene", "money"),
    ("云厂商靠什么价格手段？", None),
    ("名义上有哪几个领域？", None),
    ("有几个领域？", "quantity"),
    ("nombre d'employés de Tencent", "quantity"),
    ("Who runs the fund?", "head"),
    ("Who are the chief customers?", None),
]


@pytest.mark.parametrize(("question", "asked"), ASKED, ids=[q for q, _ in ASKED])
def test_what_a_question_asks_for(question, asked):
    assert asked_for(question) == asked


SUMS = [
    ("It costs $5.", True),
    ("It costs five dollars.", True),
    ("€ 3 million", True),
    ("12 RMB", True),
    ("A plan of 8.2 billion yuan", True),
    ("投资120亿元", True),
    ("投资数百亿美元", True),
    ("It costs dollars.", False),
    ("5 units", False),
    ("元", False),
    ("公元2025年", False),
    ("12个多元化城市", False),
    ("3 eurozone cities", False),
]


@pytest.mark.parametrize(("text", "given"), SUMS, ids=[t for t, _ in SUMS])
def test_a_sum_is_a_number_with_its_currency(text, given):
    assert gives(text, "money") == given


@pytest.mark.parametrize(
    ("text", "asked", "given"),
    [
        ("founded in 2016", "time", True),
        ("12 workers", "time", False),
        ("in 2016", "quantity", False),
        ("in 2016, 12 workers", "quantity", True),
        ("twelve", "quantity", True),
        ("nothing", None, True),
    ],
)
def test_a_year_is_no_quantity_and_a_count_no_time(text, asked, given):
    assert gives(text, asked) == given


@pytest.mark.parametrize(
    ("text", "asked", "given"),
    [
        ("0700.HK", "quantity", False),
        ("5G and the R1 model", "quantity", False),
        ("the 15th Five-Year Plan", "quantity", False),
        ("Table 1", "quantity", False),
        ("28 nm", "quantity", True),
        ("“十五五”规划", "quantity", False),
        ("十五个城市", "quantity", True),
        ("0700.HK", "code", True),
        ("Huawei\t—\tShenzhen", "code", False),
        ("in 2016", "code", False),
        ("in July 2025", "day", True),
        ("in 2025", "day", False),
        ("220 km² of land", "area", True),
        ("220 firms", "area", False),
        ("3 GWh a year", "energy", True),
        ("3 centres", "energy", False),
        ("The fund is led by a banker.", "head", True),
        ("It runs on a layered stack.", "head", False),
        ("anything", "place", True),
    ],
)
def test_what_counts_nothing_is_no_quantity(text, asked, given):
    assert gives(text, asked) == given


@pytest.mark.parametrize(
    ("text", "asked", "given"),
    [
        ("It accounts for 41 headquarters.", "quantity", False),
        ("It accounts for 41 headquarters in 3 cities.", "quantity", True),
        ("First outlined in the 2024 report.", "time", False),
        ("The 2024 report of March 2024.", "time", True),
        ("41% of them", "share", True),
    ],
)
def test_a_number_of_the_question_does_not_answer_it(text, asked, given):
    assert gives(text, asked, question="Of the 41 firms in the 2024 report …?") == given


@pytest.mark.parametrize(
    ("question", "given"),
    [
        ("How many people live in Xiamen?", False),
        ("Combien d'habitants compte Xiamen ?", False),
        ("¿Cuántas personas viven en Xiamen?", False),
        ("厦门有多少人？", False),
        ("By how much is processing time cut?", True),
    ],
)
def test_a_share_is_no_count(question, given):
    assert gives("AI cuts cargo processing time by 40%.", "quantity", question=question) == given


PLACES = [
    ("Where is Huawei?", True),
    ("Which Chinese city is home to it?", True),
    ("Is it headquartered in Wuhan?", True),
    ("Où est Huawei ?", True),
    ("¿Dónde está?", True),
    ("¿Cuál es la sede?", True),
    ("华为的总部在哪个城市？", True),
    ("Who leads Huawei?", False),
    ("What does the capacity say?", False),
    ("华为有多少员工？", False),
]


@pytest.mark.parametrize(("question", "asks"), PLACES, ids=[q for q, _ in PLACES])
def test_whether_a_question_asks_for_a_place(question, asks):
    assert asks_place(question) == asks


@pytest.mark.parametrize(
    ("text", "asked", "given"),
    [
        ("Over 50% of the patents", "share", True),
        ("Half of the patents", "share", True),
        ("one in three patents", "share", True),
        ("三分之一的专利", "share", True),
        ("la mitad de las patentes", "share", True),
        ("112 patents of 2024", "share", False),
        ("Nanjing ranks sixth", "rank", True),
        ("9. Tianjin", "rank", True),
        ("居首位", "rank", True),
        ("la première ville", "rank", True),
        ("A strong city in 2024", "rank", False),
        ("It was founded by a student.", "founder", True),
        ("由学生创办", "founder", True),
        ("It has a founding story.", "founder", False),
        ("Mayor Li spoke.", "mayor", True),
        ("The city spoke.", "mayor", False),
        ("Anything at all", None, True),
    ],
)
def test_a_share_a_rank_and_an_office(text, asked, given):
    assert gives(text, asked) == given


@pytest.mark.parametrize(
    ("asked", "kind"),
    [("quantity", "quantity"), ("share", "quantity"), ("rank", "quantity"), ("money", "money"),
     ("time", "time"), ("founder", "person"), ("minister", "person"), ("head", "person"),
     ("day", "time"), ("area", "quantity"), ("code", "quantity"), ("place", "place"),
     ("reason", "reason")],
)  # fmt: skip
def test_what_a_refusal_calls_it(asked, kind):
    assert kind_of(asked) == kind


@pytest.mark.parametrize(
    ("text", "given"),
    [("Sugon 603019.SH", True), ("股票代码为688327", True), ("listed on Nasdaq", True),
     ("28nm lithography and 300mm silicon wafers", False)],
)  # fmt: skip
def test_a_number_with_its_unit_is_no_code(text, given):
    assert gives(text, "code") == given


@pytest.mark.parametrize(
    "question",
    [
        "Why did the plant close?",
        "what was the reason for the delay",
        "I'd like to know why Suzhou was left out",
        "Pourquoi l'usine a-t-elle fermé ?",
        "¿Por qué cerró la planta?",
        "¿A qué se debe el retraso?",
        "工厂为什么关闭？",
        "关闭的原因是什么？",
        "Why is the population of Wuhan growing?",
    ],
)
def test_why_asks_for_a_reason(question):
    assert asked_for(question) == "reason"


@pytest.mark.parametrize("question", ["Porque es grande", "Whyalla's port", "What reasons? None."])
def test_a_word_like_why_asks_for_none(question):
    assert asked_for(question) != "reason"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("It closed in 2023 because orders dried up.", True),
        ("It was opened to serve the port.", True),
        ("Elle a fermé faute de commandes.", True),
        ("Cerró debido a la crisis.", True),
        ("由于订单减少，工厂关闭。", True),
        ("The plant closed in 2023.", False),
        ("L'usine a fermé en 2023.", False),
        ("La planta cerró en 2023.", False),
        ("工厂于2023年关闭。", False),
    ],
)
def test_a_reason_is_said_as_one(text, given):
    assert gives(text, "reason") == given


MEANINGS = [
    ("What is embodied AI?", True),
    ("what's a token", True),
    ("What are new quality productive forces?", True),
    ("What does “whole-chain” mean?", True),
    ("What is meant by six dragons?", True),
    ("Define embodied AI.", True),
    ("c'est quoi, l'IA incarnée ?", True),
    ("Qu'est-ce que l'IA incarnée ?", True),
    ("Que signifie « six dragons » ?", True),
    ("¿Qué es la IA encarnada?", True),
    ("¿Qué significa HBM?", True),
    ("什么是具身智能？", True),
    ("具身智能是什么意思？", True),
    ("具身智能是什么？", True),
    ("What is the population of Wuhan?", False),
    ("What is the stock code of Baidu in Hong Kong?", False),
    ("What are the firms of Hefei known for?", False),
    ("Quel est le code boursier de Baidu ?", False),
    ("合肥的优势是什么？", False),
    ("Which city leads?", False),
]


@pytest.mark.parametrize(("question", "asked"), MEANINGS, ids=[q for q, _ in MEANINGS])
def test_what_a_thing_is_and_not_what_it_has(question, asked):
    assert asks_meaning(question) == asked


ALL = [
    ("What are all the fields that use AI?", True),
    ("Name all of the cities.", True),
    ("Say everything that Meitu does.", True),
    ("Cite toutes les villes.", True),
    ("¿Cuáles son todos los planes?", True),
    ("列出所有城市", True),
    ("Is Huawei at all in Chengdu?", False),
    ("How many robots does Huawei sell every year?", False),
    ("Combien de robots tous les ans ?", False),
    ("¿Cuántos robots todos los años?", False),
    ("Which cities are there?", False),
    ("Après tout, où est Huawei ?", False),
]


@pytest.mark.parametrize(("question", "asked"), ALL, ids=[q for q, _ in ALL])
def test_whether_all_is_asked(question, asked):
    assert asks_all(question) == asked
