"""Pages of Markdown, found by their words."""

import re
from pathlib import Path

import pytest

from graph.workplace import SHIPPED_KNOWLEDGE
from tools.knowledge import Knowledge, KnowledgeInvalid, Section, read_knowledge, words
from tools.money import Money
from tools.policy import read_policy

SHIPPED = read_knowledge(SHIPPED_KNOWLEDGE)


@pytest.mark.parametrize(
    ("question", "language", "name"),
    [
        ("What is your return policy?", "en", "Returns and refunds: Return policy"),
        ("How long do I have to return something?", "en", "Returns and refunds: Return policy"),
        ("returns?", "en", "Returns and refunds: Return policy"),
        ("how much is shipping", "en", "Shipping: What shipping costs"),
        ("MY PARCEL DOES NOT MOVE", "en", "Shipping: A parcel that does not move"),
        ("can I change my address", "en", "Shipping: Changing the address"),
        ("你们的退货政策是什么?", "zh", "退货与退款: 退货政策"),
        ("运费多少", "zh", "配送: 运费"),
        ("退款多久到账", "zh", "退货与退款: 退款到账的时间和账户"),
        ("物流一直没更新", "zh", "配送: 物流长时间没有更新"),
    ],
)
def test_a_question_finds_its_section(question: str, language: str, name: str) -> None:
    assert SHIPPED.search(question, language)[0].name == name


@pytest.mark.parametrize("question", ["", "?!", "quantum chromodynamics", "运费多少"])
def test_what_no_section_says_finds_nothing(question: str) -> None:
    assert SHIPPED.search(question, "en") == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pages_say_what_the_policy_says(language: str) -> None:
    policy = read_policy()
    said = "\n".join((SHIPPED_KNOWLEDGE / language / "returns.md").read_text("utf-8").split("\n## "))
    amounts = {
        str(Money(amount, code))
        for code, figures in policy.currencies.items()
        for amount in (*figures.limits, figures.budget)
    }
    assert set(re.findall(r"\d+(?:\.\d+)? [A-Z]{3}\b", said.replace("\n", " "))) == amounts
    days = policy.return_window.days
    assert f"{days} 天内" in said if language == "zh" else f"within {days} days of delivery" in said


def test_a_page_is_cut_at_its_headings(tmp_path: Path) -> None:
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "a.md").write_text("Before.\n\n# Page #\n\nIntro.\n\n### Part\n\nText.\n\n## Empty\n")
    (folder / "b.md").write_text("No heading.")
    found = read_knowledge(tmp_path).sections
    assert [(one.name, one.text) for one in found] == [
        ("Page", "Before."),
        ("Page", "Intro."),
        ("Page: Part", "Text."),
        ("b", "No heading."),
    ]
    (folder / "b.md").write_bytes(b"\xff")
    with pytest.raises(KnowledgeInvalid, match="cannot be read"):
        read_knowledge(tmp_path)
    with pytest.raises(KnowledgeInvalid, match="no folder"):
        read_knowledge(tmp_path / "none")


def read(tmp_path: Path, text: str) -> list[Section]:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "a.md").write_text(text)
    return list(read_knowledge(tmp_path).sections)


def test_a_page_may_say_where_it_can_be_read(tmp_path: Path) -> None:
    url = "https://shop.example/help?page=returns#all"
    [intro, part] = read(
        tmp_path, f"---\ntitle: x\nurl: '{url}'\n---\n# Page\n\nIntro.\n\n## Part\n\nText.\n"
    )
    assert (intro.url, intro.name, intro.text) == (url, "Page", "Intro.")
    assert (part.url, part.name) == (url, "Page: Part")


@pytest.mark.parametrize("begins", ["---\ntitle: x\n---\n", "---\n---\n", "---\nurl:\n---\n", ""])
def test_a_page_need_not_say_it(tmp_path: Path, begins: str) -> None:
    [section] = read(tmp_path, f"{begins}# Page\n\nText.")
    assert (section.url, section.name, section.text) == (None, "Page", "Text.")


def test_a_line_across_the_page_is_no_front_matter(tmp_path: Path) -> None:
    [section] = read(tmp_path, "---\nWe open at: nine.\n---\n")
    assert "We open at: nine." in section.text


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/",
        "javascript:alert(1)",
        "//shop.example/",
        "/help",
        "https://",
        "https://ann:secret@shop.example/",
        "https://shop.example/a b",
        "https://[shop.example/",
        "https://shop.example/" + "a" * 2000,
    ],
)
def test_what_is_no_address_of_a_page_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(KnowledgeInvalid, match=r"a\.md: url must be an address"):
        read(tmp_path, f"---\nurl: {url}\n---\n# Page\n\nText.")


def test_no_pages_are_no_error() -> None:
    assert Knowledge(()).search("returns", "en") == []


def test_chinese_is_read_in_twos() -> None:
    assert list(words("退货政策 Ｒeturns, 7天")) == ["退货", "货政", "政策", "return", "7", "天"]
