"""Which encoding is taken, and which ones a person is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from linetune.core.encodings import judge
from linetune.core.errors import LinetuneError
from linetune.core.textfile import check_encoding, decode, read_lines

GERMAN = ["Größe 12", "Straße 5", "Prüfer", "Öl 4,5 l", "Bär"]
KOREAN = ["서울12가3456", "경기34나7890", "부산", "대구", "광주"]


def rows(texts: list[str], encoding: str) -> bytes:
    return "".join(f"images/{i}.jpg\t{text}\r\n" for i, text in enumerate(texts)).encode(encoding)


@pytest.mark.parametrize(
    "texts",
    [["京A12345"], ["线 2"], ["京津冀", "晋蒙辽"], ["辽A1"], ["沪A·12345"], ["粤B12345", "苏E"],
     ["生产日期", "有效期至"], ["型号：XZ", "规格"], ["设备编号", "阀门"]],
)  # fmt: skip
def test_chinese_of_frequent_characters_is_gbk(texts: list[str]) -> None:
    assert judge(rows(texts, "gbk")).encoding == "gbk"


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("cp949", KOREAN),
        ("cp949", ["유통기한", "제조일자", "내용량"]),
        ("cp949", ["바나나맛우유", "빵"]),
        ("cp1251", ["Москва", "Партия", "Годен до", "Серия", "Дата"]),
        ("cp1251", ["А123ВС77"]),
        ("cp1251", ["МОСКВА"]),
        ("cp1252", GERMAN),
        ("cp1252", ["Größe"]),
        ("cp1252", ["süß"]),
        ("cp1252", ["informação", "ações"]),
        ("cp1252", ["25 °C", "½ kg"]),
        ("cp1250", ["Łódź", "Żółw", "Kraków"]),
        ("cp1250", ["Příliš", "žluťoučký"]),
        ("cp1254", ["Başak", "Şişli"]),
        ("big5", ["臺北市", "製造日期", "有效期限", "桃園", "高雄"]),
        ("big5", ["中文"]),
        ("cp932", ["品川", "横浜 さ 12-34"]),
        ("cp932", ["ｶﾀｶﾅ", "ﾃｽﾄ"]),
        ("cp932", ["製造年月日"]),
        ("euc_jp", ["カタカナ", "賞味期限"]),
        ("cp874", ["กข 1234", "ฮพ 12"]),
        ("cp874", ["กรุงเทพมหานคร"]),
        ("cp1253", ["Αθήνα", "ΑΒΓ"]),
        ("cp850", ["Müller", "Größe"]),
        ("cp850", ["Öl", "süß", "Bär"]),
        ("cp1255", ["שלום"]),
        ("cp1256", ["الرياض", "رقم اللوحة"]),
        ("cp1256", ["تهران", "شماره پلاك"]),
        ("mac_roman", ["Müller", "Größe"]),
    ],
)
def test_other_encodings_are_asked_about_and_never_taken_for_chinese(encoding: str, texts: list[str]) -> None:
    judged = judge(rows(texts, encoding))
    assert judged.encoding is None
    assert judged.readings[encoding] in texts


def test_a_few_broken_bytes_among_utf_8_are_damage_and_no_encoding() -> None:
    judged = judge("a\t京津冀京津冀\nb\t".encode() + b"\xc4\xe3\n")
    assert judged.damaged
    assert (judged.encoding, judged.readings) == (None, {})


@pytest.mark.parametrize("texts", [["12℃", "5Ω"], ["12Ω", "10×20"], ["（12）"], ["Φ12"]])
def test_signs_of_chinese_labels_may_be_chinese(texts: list[str]) -> None:
    judged = judge(rows(texts, "gbk"))
    assert judged.encoding is None
    assert judged.readings["gbk"] in texts


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [("cp932", ["25℃"]), ("cp949", ["25℃", "±5"]), ("euc_jp", ["25℃"]), ("big5", ["25℃"]),
     ("euc_jp", ["東京都", "福岡"]), ("euc_jp", ["品川"])],
)  # fmt: skip
def test_signs_and_kanji_alone_are_no_proof_against_any_encoding(encoding: str, texts: list[str]) -> None:
    judged = judge(rows(texts, encoding))
    assert judged.encoding is None
    assert judged.readings[encoding] in texts


def test_one_greek_letter_makes_chinese_no_less_certain() -> None:
    texts = ["编号", "日期", "金额", "合计", "Φ12", "数量", "单价", "北京"]
    assert judge(rows(texts, "gbk")).encoding == "gbk"


def test_a_sign_inside_a_word_is_no_reading() -> None:
    assert set(judge(rows(["Müller"], "cp850")).readings.values()) == {"Müller"}


def test_lines_of_two_encodings_are_told_apart() -> None:
    data = rows(["A", "Müller"], "utf-8") + rows(["B", "Größe"], "cp1252")
    with pytest.raises(LinetuneError, match=r"^x:4: not UTF-8, but line 2 is; save all lines as UTF-8$"):
        decode(data, Path("x"))
    # Nor is one of them decoded as GBK, because the other is.
    data = rows(["café", "Größe"], "utf-8") + rows(["批号", "生产日期"], "gbk")
    with pytest.raises(LinetuneError, match=r"^x:3: not UTF-8, but line 1 is"):
        decode(data, Path("x"))
    # Two bytes of a longer text may be UTF-8 by chance.
    assert judge(rows(["鲁A12345", "粤B12345"], "gbk")).encoding == "gbk"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_told_by_its_zeros(encoding: str) -> None:
    with pytest.raises(LinetuneError, match=f"as {encoding}; pass --encoding {encoding}"):
        decode("a.png\tLOT 京\r\n".encode(encoding), Path("labels.txt"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gbk"])
def test_what_is_certain_is_decoded(encoding: str) -> None:
    text = "a.png\t京A12345\n"
    assert decode(text.encode(encoding), Path("labels.txt"))[0] == text


def test_what_a_person_says_is_kept_to() -> None:
    data = rows(KOREAN, "cp949")
    assert decode(data, Path("x"), "cp949")[0].encode("cp949") == data
    with pytest.raises(LinetuneError, match=r"^x:1: not utf-8; try another --encoding"):
        decode(data, Path("x"), "utf-8")
    with pytest.raises(LinetuneError, match="x:2: not cp949"):
        decode(b"a.png\tA\nb.png\t\xff\xff\n", Path("x"), "cp949")
    # A mark is written in the file, an option is only said of it.
    assert decode("京".encode("utf-8-sig"), Path("x"), "gbk")[0] == "京"
    check_encoding("Shift_JIS")
    for name in ("cp9494", "base64", "undefined", "a\0"):
        with pytest.raises(LinetuneError, match="--encoding: unknown encoding"):
            check_encoding(name)


def test_lines_are_told_with_what_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"a.png\tA\n" + rows(GERMAN, "cp1252"))
    lines = read_lines(path, "label file", "linetune import X --to DIR")
    told = [str(line) for line in lines if isinstance(line, LinetuneError)]
    assert len(told) == 5
    assert told[0] == (
        f"{path}:2: not UTF-8; it reads 'Größe 12' as cp1252; "
        "linetune import X --to DIR --encoding cp1252 writes it as UTF-8"
    )
