"""Which encoding a text that is not UTF-8 has, as far as its bytes can tell.

Nearly any bytes are text in several encodings, so that decoding without an error proves nothing. What counts
is whether the result looks like writing: Korean, Thai or German bytes give rows of rare Chinese characters,
and Chinese bytes give Latin letters of odd case between symbols.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, whose mark they begin with.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FIELDS = re.compile(rb'[\t,;"]+')
"""What separates fields; none of these bytes is part of a longer character in the encodings here."""
_COMPARED = 1000
_SHOWN = 30
"""Characters of a text that are shown."""

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
"""About 450 frequent Chinese characters, those of labels among them: over half of any Chinese text."""
_HANGUL = set(
    "이다는의에가을한고로지하사어기리자인대그서나도를들아시은해있스수게정구부일만제전라보주장여상조원요면성으오우과공관생용"
    "비국내신거무안마연동소경모적진유미러방발당실분교물와니식행재선계화단회현간금청출학데체중문강세업반호산심명표통양및법위"
    "입점세김남목품치번처추프파트르카타울광천북충배허머버저너더노두누루력량년월까년육류음료맛빵약차량판매처정보소비자유통한"
    "포토피코크레드블브디티키터크스즈플메베네셀센속결말본합각날였없않것할될된됨함임좋많작높낮새외외국임직급증형환확활황효후"
)
"""About 200 frequent Korean syllables, those of plates, places and labels among them."""
_EASTERN_SIGNS = re.compile(r"[±×÷°′″℃‰№§ΩΦφμαβγπ≤≥≈∞→←↑↓Ⅰ-Ⅻ①-⑳\uff01-\uff5e￥—…·“”‘’]")
"""Signs and units in labels of East Asia that may have no other character beyond ASCII."""
_HANZI_RUN, _HANGUL_RUN, _HALF_RUN = (
    re.compile(f"[{letters}]+") for letters in ("\u4e00-\u9fff", "가-힣", "｡-ﾟ")
)
_HALF_KANA = re.compile(r"(?:(?:[ｳｶ-ﾄﾊ-ﾎ]ﾞ|[ﾊ-ﾎ]ﾟ|[ｱ-ﾜｦ])(?:(?<=[ｷｼﾁﾆﾋﾐﾘﾌﾃﾄｳｸﾂﾞﾟ])[ｧ-ｮ])?[ﾝｯｰ]*[･､｡｢｣]?)+")
_PROOF = {
    "euc_jp": re.compile("[ぁ-ヺ]"),
    "cp949": re.compile("[가-힣]"),
    "big5": re.compile("[\u4e00-\u9fff]"),
}
"""What a text in these encodings has besides signs and kanji, which others have at the same places."""
_LATIN, _CYRILLIC, _GREEK = "a-zA-ZÀ-ÖØ-öø-ž", "Ѐ-ӿ", "Ͱ-Ͽ"
"""A word of one script holds no letters of another."""
_INSIDE = re.compile(r"[a-z][^\x00-ſ][a-z]")
"""A character that is no Latin letter in the middle of a word of them."""
_UTF8 = re.compile(r"[a-zA-Z][À-ž]|[À-ž][a-zA-Z]|[^\x00-ſ]{2}")
"""What text that is UTF-8 has, and seldom two bytes of another encoding that happen to be UTF-8."""
_TOKEN = re.compile(r"[a-zA-Z\x80-\U0010ffff]+")
_THAI_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_SIGNS = "\u00a0°²³¹½¼¾§€£¥µ®©±·´ºª¿¡•™№×÷"
_QUOTES = "«»‘’“”„–—…"


@dataclass(frozen=True)
class Judgement:
    """What a text that is not UTF-8 may be."""

    encoding: str | None
    """The one encoding that is clearly likelier than all others."""
    readings: dict[str, str]
    """How one of its texts reads in every plausible encoding."""
    damaged: bool
    """Nearly all of it is UTF-8, so that the rest is not another encoding but damaged."""
    lines: tuple[int, int] | None = None
    """One that is UTF-8 and one that is not, from 1, where files of two encodings were joined."""

    def shown(self) -> str:
        """The readings, for a message."""
        return ", ".join(f"{text!r} as {name}" for name, text in self.readings.items())


def marked(data: bytes) -> str | None:
    """The encoding that a byte order mark names."""
    return next((name for mark, name in _BOMS.items() if data.startswith(mark)), None)


def wide(data: bytes) -> str | None:
    """UTF-16 without a byte order mark, told by the zeros of its ASCII characters."""
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[first::2].count(0) * 4 > len(data):
            return name
    return None


def judge(data: bytes) -> Judgement:
    """What bytes that are not UTF-8 are.

    GBK alone is ever sure: everything is in GB2312, at least half of the characters are frequent ones, and no
    other encoding gives plausible text. Whatever else may be meant is for a person to say.
    """
    if name := wide(data):
        return _unsure([name], data.split("\n".encode(name)))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # A few broken bytes among many good characters: other encodings often decode that too, to nonsense.
    if sum(character > "\x7f" for character in text) - broken > broken:
        return Judgement(None, {}, True)
    rows = [row for row in data.split(b"\n") if not row.isascii()]
    whole = b"\n".join(rows)
    plausible = [name for name, looks_right in _CANDIDATES.items() if looks_right(_decoded(whole, name))]
    plausible = [name for name in plausible if not _INSIDE.search(_decoded(whole, name))]
    # Hardly any two Thai letters cannot follow each other, so that many a Chinese character looks like them.
    # In an alphabet any two letters are a word, and where all words have two, each may be such a character.
    pairs = all(len(run) == 2 for run in re.findall(rb"[\x80-\xff]+", whole))
    weak = {"gbk", "cp874", *(_ALPHABETS if pairs else ())}
    weak |= {name for name in ("euc_jp", "cp949", "big5") if not _PROOF[name].search(_decoded(whole, name))}
    others = [name for name in plausible if name not in weak]
    lines = _joined(data)
    if "gbk" in plausible and not others and not (lines and _really_utf8(rows)):
        text = whole.decode("gbk")
        if _in_gb2312(text) and _mostly(_words(text, _HANZI_RUN), _HANZI):
            return Judgement("gbk", {}, False)
    if lines:
        return Judgement(None, {}, False, lines)
    return _unsure(plausible, rows)


def _joined(data: bytes) -> tuple[int, int] | None:
    """The first line that is UTF-8 and the first that is not, where there are both."""
    utf8 = other = 0
    for number, row in enumerate(data.split(b"\n"), 1):
        if _is_utf8(row):
            utf8 = utf8 or number
        elif "\ufffd" in row.decode("utf-8", "replace"):
            other = other or number
    return (utf8, other) if utf8 and other else None


def _is_utf8(row: bytes) -> bool:
    text = row.decode("utf-8", "replace")
    return "\ufffd" not in text and _UTF8.search(text) is not None


def _really_utf8(rows: Sequence[bytes]) -> bool:
    """Whether rows that are UTF-8 are so by more than chance: one of ten, and in GBK of rare characters."""
    utf8 = [row for row in rows if _is_utf8(row)]
    chinese = _words(_decoded(b"\n".join(utf8), "gbk"), _HANZI_RUN)
    return 10 * len(utf8) >= len(rows) and not _mostly(chinese, _HANZI)


def _unsure(names: Sequence[str], rows: Sequence[bytes]) -> Judgement:
    """The readings of the row that tells most of these encodings apart."""
    fields = [field for row in rows[:_COMPARED] for field in _texts(row) if field]
    each = [{name: _decoded(field, name).strip("\r\n\0 ")[:_SHOWN] for name in names} for field in fields]
    best = max(each, key=lambda readings: len(set(readings.values())), default={})
    readings: dict[str, str] = {}
    for name, text in best.items():
        # Of encodings that differ nowhere, the most usual one, which comes first.
        if text not in readings.values():
            readings[name] = text
    return Judgement(None, readings, False)


def _texts(row: bytes) -> list[bytes]:
    """The fields of a row that are not ASCII, or all of a row of two bytes a character."""
    return [row] if b"\0" in row else [field for field in _FIELDS.split(row) if not field.isascii()]


def _decoded(data: bytes, name: str) -> str:
    return data.decode(name, "replace")


def _words(text: str, pattern: re.Pattern[str]) -> set[str]:
    return set(pattern.findall(text))


def _mostly(words: set[str], frequent: set[str]) -> bool:
    """Whether half of the characters of different words are frequent ones, and there is a character."""
    characters = "".join(words)
    return 0 < len(characters) <= 2 * sum(character in frequent for character in characters)


def _or_signs(looks_right: Callable[[str], bool]) -> Callable[[str], bool]:
    """Whether a text looks right, or has beside ASCII nothing but signs that labels in East Asia have."""
    return lambda text: (
        looks_right(text) or (_EASTERN_SIGNS.search(text) is not None and _only(text, _EASTERN_SIGNS.pattern))
    )


def _chinese(text: str) -> bool:
    # Kana would be Japanese in EUC, whose kana have the same places.
    if "\ufffd" in text or not _HANZI_RUN.search(text) or re.search(r"[ぁ-ヺа-яА-Я]|[α-ωΑ-Ω]{2}", text):
        return False
    return _in_gb2312(text) or _mostly(_words(text, _HANZI_RUN), _HANZI)


def _in_gb2312(text: str) -> bool:
    try:
        # Two signs that Python's gb2312 takes for others than gbk does.
        text.replace("·", "").replace("—", "").encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _traditional(text: str) -> bool:
    """In Big5 the characters of few strokes, which are the frequent ones, come first."""
    characters = "".join(_words(text, _HANZI_RUN)).encode("big5", "replace")
    leads = characters[::2]
    return (
        _only(text, r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
        and bool(leads)
        and max(leads) < 0xC8
        and 4 * sum(lead < 0xB0 for lead in leads) >= len(leads)
    )


def _korean(text: str) -> bool:
    signs = r"\u3000-\u303f\uff00-\uffef·℃"
    return _only(text, f"[가-힣{signs}]") and _mostly(_words(text, _HANGUL_RUN), _HANGUL)


def _japanese(text: str) -> bool:
    if not _only(text, r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef々〆]"):
        return False
    half = {token for token in _TOKEN.findall(text) if _HALF_RUN.search(token)}
    return all(map(_HALF_KANA.fullmatch, half)) and bool(half or re.search(r"[ぁ-ヺ]", text))


def _shift_jis(text: str) -> bool:
    # Frequent kanji come first; hardly a label file has others alone, without any kana.
    kanji = "".join(_words(text, _HANZI_RUN)).encode("cp932", "replace")
    frequent = bool(kanji) and max(kanji[::2]) < 0x98 and not _HALF_RUN.search(text)
    return _japanese(text) or (frequent and "\ufffd" not in text)


def _euc_jp(text: str) -> bool:
    # Frequent kanji come first, as in Chinese, so that kanji alone prove nothing.
    kanji = "".join(_words(text, _HANZI_RUN)).encode("euc_jp", "replace")
    return _japanese(text) or ("\ufffd" not in text and bool(kanji) and max(kanji[::2]) < 0xD0)


def _alphabet(letters: str) -> Callable[[str], bool]:
    """Whether words in these letters look right, and beside them are only usual signs, one at a time."""
    word = re.compile(f"[{letters}]+")

    def looks_right(text: str) -> bool:
        tokens = {token.strip(_QUOTES) for token in _TOKEN.findall(text)}
        tokens = {token for token in tokens if not token.isascii()}
        wrong = sum(not (_sign(token) or (word.fullmatch(token) and _sensible(token))) for token in tokens)
        # A few odd words are in any file.
        return bool(tokens) and wrong * 5 <= len(tokens)

    return looks_right


def _sign(token: str) -> bool:
    beyond = [character for character in token if character > "\x7f"]
    return len(beyond) == 1 and beyond[0] in _SIGNS


def _sensible(word: str) -> bool:
    if not (word.isupper() or word[1:].islower() or len(word) == 1):
        return False
    # Latin letters with accents stand among letters without: Finnish begins words with two, Polish has three.
    odd = re.match(r"([À-ÿ])(?!\1)[À-ÿ]|.*[^a-zA-Z]{4}|[^a-zA-Z]{2,}$", word, re.IGNORECASE)
    return word[0] >= "\u0370" or odd is None


def _letters(pattern: str, wrong: str) -> Callable[[str], bool]:
    """Whether there are letters of a script without capitals, and no order of them that it does not have."""

    def looks_right(text: str) -> bool:
        mixed = rf"[a-zA-Z]{pattern}|{pattern}[a-zA-Z]|{wrong}"
        return bool(re.search(pattern, text)) and _only(text, pattern) and not re.search(mixed, text)

    return looks_right


def _only(text: str, pattern: str) -> bool:
    return re.fullmatch(rf"(?:[\x00-\x7f]|{pattern})*", text) is not None


_ALPHABETS: dict[str, Callable[[str], bool]] = {
    "cp1252": _alphabet(_LATIN),
    "cp1250": _alphabet(_LATIN),
    "cp1254": _alphabet(_LATIN),
    "cp850": _alphabet(_LATIN),
    "mac_roman": _alphabet(_LATIN),
    "cp1251": _alphabet(_CYRILLIC),
    "koi8_r": _alphabet(_CYRILLIC),
    "cp866": _alphabet(_CYRILLIC),
    "cp1253": _alphabet(_GREEK),
    "cp1255": _letters(r"[\u0590-\u05ff]", "(?!)"),
    "cp1256": _letters(r"[\u0600-\u06ff\u200c\u200d]", "(?!)"),
}
_CANDIDATES: dict[str, Callable[[str], bool]] = {
    "gbk": _or_signs(_chinese),
    "cp949": _or_signs(_korean),
    "big5": _or_signs(_traditional),
    "cp932": _or_signs(_shift_jis),
    "euc_jp": _or_signs(_euc_jp),
    **_ALPHABETS,
    "cp874": _letters(r"[\u0e00-\u0e7f]", rf"(?<![ก-ฮ{_THAI_MARKS}])[{_THAI_MARKS}]|[เ-ไ](?![ก-ฮ])"),
}
"""Encodings of label files by what their text looks like, the more usual of two similar ones first."""
