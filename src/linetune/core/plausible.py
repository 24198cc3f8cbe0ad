"""Tests of whether a decoded text looks like writing in some language, one for each likely encoding.

Nearly any bytes decode without an error in several encodings. Only the result tells them apart: Korean, Thai
or German bytes decoded as GBK become rows of rare Chinese characters. Chinese bytes decoded as a European
encoding become Latin letters in odd case between symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Test = Callable[[str], bool]
"""Returns whether a text looks right."""

_HANZI = set(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事"
    "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此"
    "已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代"
    "内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安"
    "少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光"
    "放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运"
    "号码型批效质净含毫升厂址编限责任京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼警港澳线包装材料药食标准零"
    "六七八九百千时收发票税单价额款购销售名称备注检验测试型温压流速红黄蓝绿停车出入站台楼室层街镇村县省广州深圳湖江河成都武汉"
)
"""About 450 frequent Chinese characters, including those of labels: over half of any Chinese text."""
_HANGUL = set(
    "이다는의에가을한고로지하사어기리자인대그서나도를들아시은해있스수게정구부일만제전라보주장여상조원요면성으오우과공관생용"
    "비국내신거무안마연동소경모적진유미러방발당실분교물와니식행재선계화단회현간금청출학데체중문강세업반호산심명표통양및법위"
    "입점세김남목품치번처추프파트르카타울광천북충배허머버저너더노두누루력량년월까년육류음료맛빵약차량판매처정보소비자유통한"
    "포토피코크레드블브디티키터크스즈플메베네셀센속결말본합각날였없않것할될된됨함임좋많작높낮새외외국임직급증형환확활황효후"
)
"""About 200 frequent Korean syllables, including those of plates, places and labels."""
_EASTERN_SIGNS = re.compile(r"[±×÷°′″℃‰№§ΩΦφμαβγπ≤≥≈∞→←↑↓Ⅰ-Ⅻ①-⑳\uff01-\uff5e￥—…·“”‘’]")
"""Signs and units in East Asian labels that may have no other character beyond ASCII."""
_HANZI_RUN, _HANGUL_RUN, _HALF_RUN = (
    re.compile(f"[{letters}]+") for letters in ("\u4e00-\u9fff", "가-힣", "｡-ﾟ")
)
_HALF_KANA = re.compile(r"(?:(?:[ｳｶ-ﾄﾊ-ﾎ]ﾞ|[ﾊ-ﾎ]ﾟ|[ｱ-ﾜｦ])(?:(?<=[ｷｼﾁﾆﾋﾐﾘﾌﾃﾄｳｸﾂﾞﾟ])[ｧ-ｮ])?[ﾝｯｰ]*[･､｡｢｣]?)+")
PROOF = {
    "euc_jp": re.compile("[ぁ-ヺ]"),
    "cp949": re.compile("[가-힣]"),
    "big5": re.compile("[\u4e00-\u9fff]"),
}
"""Patterns of the characters that each encoding was made for.

Other encodings have signs and kanji at the same byte values. Signs and kanji alone therefore prove nothing.
"""
_LATIN, _CYRILLIC, _GREEK = "a-zA-ZÀ-ÖØ-öø-ž", "Ѐ-ӿ", "Ͱ-Ͽ"
"""Letters of one script. A word does not mix them."""
_TOKEN = re.compile(r"[^\x00-@\[-`{-\x7f]+")
"""ASCII letters and everything beyond ASCII. Its negation compiles much faster."""
_THAI_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_SIGN = re.compile("[\x00-\x7f]*[\u00a0°²³¹½¼¾§€£¥µ®©±·´ºª¿¡•™№×÷][\x00-\x7f]*")
_QUOTES = "«»‘’“”„–—…"


def is_frequent_chinese(text: str) -> bool:
    """Return whether at least half of the Chinese characters of the different words are frequent ones."""
    return _mostly_frequent(text, _HANZI_RUN, _HANZI)


def is_gb2312(text: str) -> bool:
    """Return whether all characters are in GB2312, the frequent part of GBK."""
    # Python's gb2312 and gbk codecs map these two signs differently.
    comparable = text.replace("·", "").replace("—", "")
    return comparable.encode("gb2312", "ignore").decode("gb2312") == comparable


def _mostly_frequent(text: str, runs: re.Pattern[str], frequent: set[str]) -> bool:
    """Return whether a text has such characters and at least half of them are frequent, each word once."""
    characters = "".join(set(runs.findall(text)))
    return 0 < len(characters) <= 2 * sum(character in frequent for character in characters)


def _lead_bytes(text: str, encoding: str) -> bytes:
    """Return the first byte of each Chinese character in an encoding of two bytes, each word once."""
    return "".join(set(_HANZI_RUN.findall(text))).encode(encoding, "replace")[::2]


def _ascii_and(pattern: str, text: str) -> bool:
    """Return whether a text has only ASCII characters and matches of the pattern."""
    return re.fullmatch(rf"(?:[\x00-\x7f]|{pattern})*", text) is not None


def _or_signs(looks_right: Test) -> Test:
    """Return a test that also accepts texts of ASCII and the signs of East Asian labels alone."""
    return lambda text: (
        looks_right(text)
        or (_EASTERN_SIGNS.search(text) is not None and _ascii_and(_EASTERN_SIGNS.pattern, text))
    )


def _chinese(text: str) -> bool:
    # Kana are a sign of EUC-JP, which has them at the same byte values.
    if "\ufffd" in text or not _HANZI_RUN.search(text) or re.search(r"[ぁ-ヺа-яА-Я]|[α-ωΑ-Ω]{2}", text):
        return False
    return is_gb2312(text) or is_frequent_chinese(text)


def _traditional(text: str) -> bool:
    # Big5 sorts by frequency class and strokes: frequent characters with few strokes come first.
    leads = _lead_bytes(text, "big5")
    return (
        _ascii_and(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", text)
        and bool(leads)
        and max(leads) < 0xC8
        and 4 * sum(lead < 0xB0 for lead in leads) >= len(leads)
    )


def _korean(text: str) -> bool:
    signs = r"\u3000-\u303f\uff00-\uffef·℃"
    return _ascii_and(f"[가-힣{signs}]", text) and _mostly_frequent(text, _HANGUL_RUN, _HANGUL)


def _japanese(text: str) -> bool:
    if not _ascii_and(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef々〆]", text):
        return False
    half_width = {token for token in _TOKEN.findall(text) if _HALF_RUN.search(token)}
    return all(map(_HALF_KANA.fullmatch, half_width)) and bool(half_width or re.search(r"[ぁ-ヺ]", text))


def _japanese_in(encoding: str, rare: int, impossible: str) -> Test:
    """Return a test for Japanese with kana, or with frequent kanji alone.

    Frequent kanji come first in both encodings. Hardly any label file has rare kanji without any kana.

    Args:
        encoding: an encoding of two bytes.
        rare: the lowest first byte of rare kanji.
        impossible: matches a character that does not occur in a text of kanji alone.
    """

    def looks_right(text: str) -> bool:
        leads = _lead_bytes(text, encoding)
        return _japanese(text) or (bool(leads) and max(leads) < rare and not re.search(impossible, text))

    return looks_right


def _alphabet(letters: str) -> Test:
    """Return a test for words in these letters, with at most one usual sign at a time between them."""
    word = re.compile(f"[{letters}]+")

    def looks_right(text: str) -> bool:
        tokens = {token.strip(_QUOTES) for token in _TOKEN.findall(text)}
        tokens = {token for token in tokens if not token.isascii()}
        words = {token for token in tokens if word.fullmatch(token) and _is_plausible_word(token)}
        wrong = sum(not _SIGN.fullmatch(token) for token in tokens - words)
        # Any file has a few odd words.
        return bool(tokens) and wrong * 5 <= len(tokens)

    return looks_right


def _is_plausible_word(word: str) -> bool:
    if not (word.isupper() or word[1:].islower() or len(word) == 1):
        return False
    # Few Latin letters in a row have accents: Finnish words begin with two equal ones, Polish has three.
    odd = re.match(r"([À-ÿ])(?!\1)[À-ÿ]|.*[^a-zA-Z]{4}|[^a-zA-Z]{2,}$", word, re.IGNORECASE)
    return word[0] >= "\u0370" or odd is None


def _letters(pattern: str, impossible: str = "(?!)") -> Test:
    """Return a test for letters of a script without capitals.

    Args:
        pattern: matches one letter.
        impossible: matches a sequence that does not occur in the script; nothing by default.
    """
    mixed = re.compile(rf"[a-zA-Z]{pattern}|{pattern}[a-zA-Z]|{impossible}")
    return lambda text: (
        bool(re.search(pattern, text)) and _ascii_and(pattern, text) and not mixed.search(text)
    )


ALPHABETS: dict[str, Test] = {
    **dict.fromkeys(("cp1252", "cp1250", "cp1254", "cp850", "mac_roman"), _alphabet(_LATIN)),
    **dict.fromkeys(("cp1251", "koi8_r", "cp866"), _alphabet(_CYRILLIC)),
    "cp1253": _alphabet(_GREEK),
    "cp1255": _letters(r"[\u0590-\u05ff]"),
    "cp1256": _letters(r"[\u0600-\u06ff\u200c\u200d]"),
}
"""Encodings of alphabets: one byte for each letter."""
ENCODINGS: dict[str, Test] = {
    "gbk": _or_signs(_chinese),
    "cp949": _or_signs(_korean),
    "big5": _or_signs(_traditional),
    "cp932": _or_signs(_japanese_in("cp932", 0x98, "[\ufffd｡-ﾟ]")),
    "euc_jp": _or_signs(_japanese_in("euc_jp", 0xD0, "\ufffd")),
    **ALPHABETS,
    "cp874": _letters(r"[\u0e00-\u0e7f]", rf"(?<![ก-ฮ{_THAI_MARKS}])[{_THAI_MARKS}]|[เ-ไ](?![ก-ฮ])"),
}
"""Likely encodings of label files. Of two similar ones the more usual one comes first."""
