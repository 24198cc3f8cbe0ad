"""The pages in two languages: a Chinese page has the code, figures and links of its English page."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
import reference
from markdown_it import MarkdownIt
from markdown_it.token import Token

from linetune.report.words import Words, catalogue

ROOT = Path(__file__).parents[1]
CHINESE = re.compile(r"\.zh(-CN)?(?=\.)")
"""What the names of Chinese files have in addition."""
FIGURE = re.compile(r"(?<![A-Za-z\d])\d+(?:[.,]\d+)*(?:\s*%)?")
"""A number that is not a part of a name."""
PAGES = sorted(
    page for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if CHINESE.search(page.name)
)
SECTIONS = ("h1", "h2", "h3", "li", "tr", "td")
"""The parts of a page that each language has as often. A paragraph may be two in one of them."""
each_pair = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def english(path: Path | str) -> Path:
    """Return the path of the English file of a file."""
    return Path(CHINESE.sub("", str(path)))


def tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text("utf-8"))


def parts(page: Path) -> list[Token]:
    """Return the texts, code, links and pictures inside the paragraphs, in order."""
    return [part for token in tokens(page) for part in token.children or ()]


def structure(page: Path) -> list[str]:
    return [token.tag for token in tokens(page) if token.nesting == 1 and token.tag in SECTIONS]


def code(page: Path) -> list[tuple[str, str]]:
    """Return the language and the text of each code block, without comments and docstrings."""
    found = [(token.info, token.content) for token in tokens(page) if token.type == "fence"]
    return [(language, bare(language, text)) for language, text in found]


def bare(language: str, text: str) -> str:
    if language == "python":
        return re.sub('""".*?"""', "", ast.unparse(ast.parse(text)), flags=re.DOTALL)
    return text if language in ("text", "json") else re.sub(r" *(?<!\S)#.*", "", text)


def figures(page: Path) -> list[str]:
    text = "\n".join(part.content for part in parts(page) if part.type == "text")
    return ["".join(each.split()) for each in FIGURE.findall(text)]


def named(page: Path) -> Counter[str]:
    """Return what sentences name: commands, keys, files. Each language has its own order in a sentence."""
    return Counter(str(english(part.content)) for part in parts(page) if part.type == "code_inline")


def targets(page: Path) -> list[str]:
    """Return what the links and pictures lead to, without anchors."""
    found = [str(part.attrGet("href") or part.attrGet("src") or "").partition("#")[0] for part in parts(page)]
    return [target for target in found if target]


def anchors(page: Path) -> list[str]:
    """Return the anchors that the links lead to."""
    found = [str(part.attrGet("href") or "").partition("#")[2] for part in parts(page)]
    return [anchor for anchor in found if anchor]


def pages(page: Path) -> list[Path]:
    """Return the English names of what the links and pictures lead to."""
    return [english(each) for each in targets(page)]


@each_pair
def test_both_have_the_same_sections_lists_and_tables(page: Path) -> None:
    assert structure(page) == structure(english(page))


@each_pair
def test_both_have_the_same_code(page: Path) -> None:
    assert code(page) == code(english(page))
    assert named(page) == named(english(page))


@each_pair
def test_both_have_the_same_figures_in_the_same_order(page: Path) -> None:
    assert figures(page) == figures(english(page))


@each_pair
def test_both_lead_to_the_same_pages_and_pictures(page: Path) -> None:
    assert pages(page) == pages(english(page))


@each_pair
def test_a_chinese_page_leads_to_chinese_pages(page: Path) -> None:
    made = [ROOT / "docs" / name for name in reference.pages() if CHINESE.search(name)]  # from the code
    chinese = {english(each) for each in [*PAGES, *made] if each.parent != ROOT}
    linked = [each for each in targets(page) if (page.parent / each).resolve() in chinese]
    assert not linked, "there is a Chinese page of these"


def test_the_chinese_reference_has_the_keys_code_figures_and_anchors_of_the_english(
    tmp_path: Path,
) -> None:
    one, other = tmp_path / "page.md", tmp_path / "page.zh.md"
    one.write_text(reference.configuration(Words()), "utf-8")
    other.write_text(reference.configuration(reference.CHINESE), "utf-8")
    for seen in (structure, code, named, figures, anchors):
        assert seen(other) == seen(one)


def test_the_chinese_report_has_the_words_of_the_chinese_glossary() -> None:
    """An abbreviation may stay, and an axis may count what a word names. Others are in the glossary too."""
    text = (ROOT / "docs/glossary.zh.md").read_text("utf-8")
    report, compared = catalogue("zh"), []
    for terms, names, meaning in re.findall(r"^\| (.+)（(.+)） \| (.+) \|$", text, re.M):
        for term, name in zip(terms.split("、"), names.split(", "), strict=True):
            if word := report.get(name):
                assert term in word or word == name or f"报告里叫“{word}”" in meaning
                compared.append(name)
    assert {"charset", "label", "label probability", "stage"} <= set(compared)


ONE = """# A

```sh
make demo  # a
```

It takes `5` s, 90 %, [b](b.md).

```python
def f():
    \"\"\"A.\"\"\"
    return 1  # a
```
"""
OTHER = (
    ONE.replace("# a", "# 甲").replace("A.", "甲。").replace("It takes", "需要").replace("b.md", "b.zh.md")
)


@pytest.mark.parametrize(
    ("old", "new"),
    [("# A", "## A"), ("demo", "test"), ("1", "2"), ("`5`", "`6`"), ("90", "91"), ("b.zh.md", "c.zh.md")],
)
def test_a_difference_is_found(tmp_path: Path, old: str, new: str) -> None:
    one, other = tmp_path / "page.md", tmp_path / "page.zh.md"
    one.write_text(ONE, "utf-8")
    for text, agrees in ((OTHER, True), (OTHER.replace(old, new, 1), False)):
        other.write_text(text, "utf-8")
        assert all(seen(other) == seen(one) for seen in (structure, code, named, figures, pages)) is agrees
