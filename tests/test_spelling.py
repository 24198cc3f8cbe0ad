"""What a check says about characters, and that a repair changes what it says and nothing else."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

from linetune.core import scripts
from linetune.core.labelfile import Line
from linetune.data.check.characters import CharacterChecks
from linetune.data.check.labels import LabelChecks

CORRECT = {
    "Arabic": "مُحَمَّدٌ بِسْمِ اللَّهِ ـــ ٣٤",
    "Arabic number sign": "\u0600١٢",
    "end of verse": "\u06dd٣",
    "words in one character": "\ufdf2 \ufdfc",
    "Persian": "می\u200cخواهم نمی\u200cشود",
    "Persian, marked letter before the joiner": "حقّ\u200cالله",
    "Persian, the sign of the era": "۱۴۰۲ ه\u200d.ش",
    "Persian, an ending after digits": "12\u200cساله",
    "Persian, an ending after a foreign word": "BMW\u200cها",
    "Urdu": "خوش آمدید",
    "Syriac abbreviation": "\u070fܐܒ",
    "Hebrew": "שָׁלוֹם",
    "Hindi": "\u0958\u0959 हिन्दी क्षेत्र",
    "Hindi, half letter": "क\u094d\u200dष",
    "Hindi, visible virama": "क\u094d\u200cष",
    "Bengali": "\u09df\u09dc কোনো",
    "Bengali, nukta apart": "\u09af\u09bc",
    "Malayalam, old chillu": "അവന\u0d4d\u200d",
    "Sinhala": "ශ\u0dca\u200dරී",
    "Tamil": "தமிழ்",
    "Thai": "น้ำ น้\u0e4dา",
    "Khmer": "ភាសាខ្មែរ",
    "Tibetan": "བོད་སྐད།",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ\u180eᠠ\u180b",
    "Korean": "한국어 12",
    "Japanese": "カタカナ・ひらがな、漢字（一）",
    "ideographic variant": "葛\U000e0100城",
    "Chinese": "中文　（1）",
    "Russian": "Партия SN 12",
    "Russian and Latin": "АВТО BUS ОСА",
    "Ukrainian": "Її Європа",
    "Greek": "Σίσυφος ΑΒΓ",
    "German": "Straße Größe ẞ",
    "Turkish": "İstanbul ılık",
    "Vietnamese": "Việt Nam",
    "units": "10 \u2126 300 \u212a 5 \u212b 3 \u00b5m 4 μA 2 ΔT 8 kΩ",
    "marks without a composed form": "q\u0323 x\u0302",
    "emoji": "❤\ufe0f 👩\u200d🔬 👍🏽 1\ufe0f\u20e3 🏴\U000e0067\U000e0062\U000e007f",
}
HOME = ["Жар", "Ωδή", *CORRECT.values()]


def findings(checks: CharacterChecks, text: str) -> set[str]:
    found = LabelChecks(checks).findings(Line(Path("a.png"), text, "a.txt:1"), held_out=False)
    return {finding.kind for finding in found}


@pytest.mark.parametrize("text", CORRECT.values(), ids=CORRECT.keys())
def test_correct_spelling_is_no_finding_and_stays(text: str) -> None:
    checks = CharacterChecks.of(HOME)
    assert findings(checks, text) == set()
    assert checks.repaired(text) == text


@pytest.mark.parametrize(
    ("text", "kind", "repaired"),
    [
        ("Vie\u0323\u0302t", "decomposed", "Việt"),
        ("\u1112\u1161\u11ab국", "decomposed", "한국"),
        ("\u0995\u09c7\u09be", "decomposed", "কো"),
        ("\u09df\u09c7\u09be", "decomposed", "\u09df\u09cb"),
        ("か\u3099", "decomposed", "が"),
        ("cafe\u0301 \u2126", "decomposed", "café \u2126"),
        ("\ufefb\ufee3", "lookalike", "لا\u0645"),
        ("\ufeb3\ufefc\ufee1 12", "lookalike", "سلام 12"),
        ("LOT\v1234", "lookalike", "LOT 1234"),
        ("C\u2028D", "lookalike", "C D"),
        ("AB\f", "edge-space", "AB"),
        ("A\u200cB", "invisible", "AB"),
        ("1\u200d2", "invisible", "12"),
        ("سلام\u200c", "invisible", "سلام"),
        ("\u200cسلام", "invisible", "سلام"),
        ("می\u200c\u200cخواهم", "invisible", "می\u200cخواهم"),
        ("A\ufe0fB", "invisible", "AB"),
        ("so\u00adft", "invisible", "soft"),
        ("\u200eAB\u202c", "invisible", "AB"),
        ("\ufeffAB", "invisible", "AB"),
        ("한\u3164국", "invisible", "한국"),
        ("A\u034fB", "invisible", "AB"),
        ("AB\u3000", "edge-space", "AB"),
        ("中文\u3000", "edge-space", "中文"),
        ("\u1680中", "edge-space", "中"),
        (" AB\u200b ", "edge-space", "AB"),
        ("Pоссия", "lookalike", "Россия"),
        ("12\u0410BN", "lookalike", "12ABN"),
        ("Kαλημέρα", "lookalike", "Καλημέρα"),
        ("\u0410\u2013B2", "lookalike", "\u0410\u2013B2"),
    ],
)
def test_a_slip_is_named_and_repaired(text: str, kind: str, repaired: str) -> None:
    checks = CharacterChecks.of(HOME)
    if text == repaired:
        assert findings(checks, text) == set()
    else:
        assert kind in findings(checks, text)
    assert checks.repaired(text) == repaired


def test_nobody_guesses_at_a_word_with_letters_of_both_scripts() -> None:
    checks = CharacterChecks.of(HOME)
    for word in ("USBкабель", "НDЖ", "5 μF"):
        assert checks.lookalikes(word) == {}
        assert checks.repaired(word) == word


def test_marks_of_direction_stay_where_they_may_decide_on_the_order() -> None:
    checks = CharacterChecks.of(HOME)
    text = "שלום\u200f!"
    (told,) = LabelChecks(checks).findings(Line(Path("a.png"), text, "a.txt:1"), held_out=False)
    assert told.kind == "invisible"
    assert told.hint == "--fix keeps U+200F, which may decide the order of the text"
    assert checks.repaired(text) == text


def test_marks_that_the_charset_has_alone_are_meant() -> None:
    alone = CharacterChecks.of([], wanted="e\u0301")
    assert alone.decomposed("e\u0301") == {}
    assert alone.repaired("e\u0301") == "e\u0301"
    both = CharacterChecks.of([], wanted="e\u0301é")
    assert both.repaired("e\u0301") == "é"


def test_a_repair_changes_what_a_finding_names_and_nothing_else() -> None:
    draws = random.Random(0)
    odd = "\u200b\u200c\u200d\u200e\ufe0f\u00a0\u3000\u0301\u0323 –１ＡАВaB12-\u00ad\u2126\u0958"
    alphabet = "".join(CORRECT.values()) + odd * 8
    for wanted in ("", "Аé１\u200b"):
        checks = CharacterChecks.of(HOME, wanted)
        for _ in range(20_000):
            text = "".join(draws.choices(alphabet, k=draws.randint(1, 9)))
            repaired = checks.repaired(text)
            kinds = findings(checks, text)
            assert checks.repaired(repaired) == repaired
            if not repaired:
                assert kinds == {"empty-label"}
                continue
            if repaired != text:
                assert kinds & {"invisible", "lookalike", "decomposed", "edge-space"}, repr(text)
            named = {
                *checks.invisible(text),
                *checks.lookalikes(text),
                *"".join(checks.decomposed(text)),
            }
            gone = set(text) - set(repaired)
            assert all(c in named or c.isspace() for c in gone), (text, repaired)
            if any(c.isspace() and c not in named for c in gone):
                assert "edge-space" in kinds


def test_every_character_alone_in_a_text_stays_or_is_named() -> None:
    checks = CharacterChecks.of(HOME)
    for code in range(0x20, 0x30000):
        character = chr(code)
        if unicodedata.category(character) in {"Cs", "Co", "Cn"}:
            continue
        for text in (f"A{character}B", f"ل{character}ل", f"क{character}क", f"中{character}文"):
            if checks.repaired(text) != text:
                named = checks.invisible(text) or checks.lookalikes(text) or checks.decomposed(text)
                assert named, f"U+{code:04X}"


def test_letters_keep_their_marks() -> None:
    assert scripts.clusters("Vie\u0323\u0302t") == ("V", "i", "e\u0323\u0302", "t")
    assert scripts.clusters("\u1112\u1161\u11abA") == ("\u1112\u1161\u11ab", "A")
    assert scripts.clusters("👩\u200d🔬A") == ("👩\u200d🔬", "A")
