from __future__ import annotations

from pathlib import Path

import pytest

from linetune.core.charset import BLANK, Charset
from linetune.core.errors import LinetuneError

WIDE_SPACE = "\u3000"
FLAG = "\U0001f1e8\U0001f1f3"
"""Two code points, one entry of the official dictionary."""
OFFICIAL = (WIDE_SPACE, "一", "😀", FLAG, "A", "0", " ")
DIGITS = tuple("0123456789")


@pytest.mark.parametrize("characters", [OFFICIAL, DIGITS, (" ",), (WIDE_SPACE,), (FLAG, FLAG[0])])
def test_every_character_survives_encoding_and_the_file(characters: tuple[str, ...], tmp_path: Path) -> None:
    charset = Charset(characters)
    text = "".join(characters)
    assert charset.encode(text) == list(range(1, len(characters) + 1))
    assert charset.decode(charset.encode(text)) == text
    charset.write(tmp_path / "charset.txt")
    assert Charset.read(tmp_path / "charset.txt") == charset
    assert [path.name for path in tmp_path.iterdir()] == ["charset.txt"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_line_ends", [True, False])
def test_files_of_every_editor_are_read(
    mark: bytes, line_end: str, last_line_ends: bool, tmp_path: Path
) -> None:
    path = tmp_path / "charset.txt"
    text = line_end.join(OFFICIAL) + (line_end if last_line_ends else "")
    path.write_bytes(mark + text.encode())
    assert Charset.read(path).characters == OFFICIAL


def test_the_space_is_last_and_the_blank_is_first() -> None:
    charset = Charset((" ", "B", WIDE_SPACE, "A"))
    assert charset.characters == ("B", WIDE_SPACE, "A", " ")
    assert charset.encode("A B") == [3, 4, 1]
    assert charset.classes == 5
    assert charset.decode([BLANK, 3, BLANK, 4, 1]) == "A B"


def test_the_longest_entry_is_taken() -> None:
    charset = Charset((FLAG[0], FLAG[1], FLAG))
    assert charset.encode(FLAG) == [3]
    assert charset.encode(FLAG[::-1]) == [2, 1]
    assert charset.encode(FLAG[0] + FLAG) == [1, 3]


def test_missing_characters_are_named_once_in_order() -> None:
    charset = Charset(DIGITS)
    assert charset.missing(f"1x2{WIDE_SPACE}x 😀") == ["x", WIDE_SPACE, " ", "😀"]
    assert charset.missing("2024") == []
    assert "7" in charset
    assert " " not in charset
    with pytest.raises(LinetuneError) as caught:
        charset.encode(f"1x2{WIDE_SPACE}x 😀é")
    assert str(caught.value) == "'x', U+3000, U+0020, '😀' (U+1F600), 'é' (U+00E9) not in the charset"


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"A\nB\nA\n", ":3", "'A' is there twice, first in line 1"),
        (b"A\n \n \n", ":3", r"U\+0020 is there twice, first in line 2"),
        (b"A\r\n\r\nB\r\n", ":2", "empty line"),
        (b"A\nB\n\n", ":3", "empty line"),
        (b"\n", ":1", "empty line"),
        ("A\né\n".encode("latin-1"), ":2", "not UTF-8; save the file as UTF-8"),
        ("A\né\n".encode("utf-16"), ":1", "not UTF-8"),
        (b"", "", "the charset file is empty"),
        (b"\xef\xbb\xbf", "", "the charset file is empty"),
    ],
)
def test_files_that_are_not_charsets_are_refused(
    content: bytes, place: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "charset.txt"
    path.write_bytes(content)
    with pytest.raises(LinetuneError, match=message) as caught:
        Charset.read(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match=r"none\.txt: charset file not found"):
        Charset.read(tmp_path / "none.txt")
    with pytest.raises(LinetuneError, match="charset file expected, but this is a folder"):
        Charset.read(tmp_path)


def test_characters_that_make_no_charset_are_refused() -> None:
    with pytest.raises(LinetuneError, match="empty"):
        Charset(())
    with pytest.raises(LinetuneError, match="empty character"):
        Charset(("A", ""))
    with pytest.raises(LinetuneError, match=r"U\+0020 twice"):
        Charset((" ", "A", " "))


def test_the_charset_of_labels_has_each_of_their_characters() -> None:
    assert Charset.collect(["B A", f"😀{WIDE_SPACE}", "B9"]).characters == (
        "9",
        "A",
        "B",
        WIDE_SPACE,
        "😀",
        " ",
    )
    assert Charset.collect(text for text in ("10", "02")).characters == ("0", "1", "2")
    with pytest.raises(LinetuneError, match="the charset is empty"):
        Charset.collect([])


@pytest.mark.parametrize("lines", [[WIDE_SPACE, FLAG, "A"], [WIDE_SPACE, " ", FLAG, "A"]])
def test_a_paddle_dictionary_gets_its_space(lines: list[str]) -> None:
    assert Charset.from_dictionary(lines).characters == (WIDE_SPACE, FLAG, "A", " ")


def test_different_charsets_have_different_digests() -> None:
    assert Charset(("A", "B")).sha256 == Charset(("A", "B")).sha256
    assert len({Charset(c).sha256 for c in (("A", "B"), ("B", "A"), ("AB",), ("A", "B", " "))}) == 4


@pytest.mark.parametrize("content", ["ABCDEF\n", "A B C D\n", "A\nB\n0123456789\n"])
def test_a_line_of_many_characters_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "charset.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(
        LinetuneError, match=r"charset.txt:\d: one line has \d+ characters; a charset file has"
    ):
        Charset.read(path)
