"""What a file is written in is told, or guessed aloud, by all that read it: never `binary` where it is text."""

import codecs
import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.describe import describe
from stages.download.dataset import write_dataset
from stages.errors import DataError
from stages.reading.encodings import Encoding, contradicts, encoding_of
from tests.stages.reading.cases import dataset_of
from tests.stages.reading.test_same_rows import own_memory, predicted, trained_on  # noqa: F401 (own_memory is a fixture)

TEXTS = {
    "Russian": ["Отличное приложение, работает быстро", "Постоянно вылетает после обновления", "Верните деньги!"],
    "Greek": ["Πολύ καλή εφαρμογή, γρήγορη", "Κολλάει συνέχεια μετά την ενημέρωση", "Ευχαριστώ"],
    "Hebrew": ["אפליקציה מצוינת, עובדת מהר", "קורסת כל הזמן אחרי העדכון", "לא מצליח להתחבר"],
    "Arabic": ["تطبيق رائع ويعمل بسرعة", "يتعطل دائما بعد التحديث", "لا أستطيع تسجيل الدخول"],
    "Hindi": ["यह ऐप बहुत अच्छा है", "अपडेट के बाद बंद हो जाता है", "पैसे वापस करो"],
    "Thai": ["แอปนี้ใช้งานง่ายมาก", "ค้างหลังจากอัปเดต", "ขอบคุณ"],
    "Chinese": ["这个应用非常好用，速度很快", "一更新之后就一直崩溃", "上次无法登录账号"],
    "Japanese": ["このアプリはとても使いやすいです", "更新してから毎回落ちます", "返金してください。最悪です"],
    "Korean": ["이 앱은 정말 사용하기 쉽습니다", "업데이트 후 계속 종료됩니다", "환불해 주세요"],
    "German": ["Schöne App, läuft überall flüssig", "Stürzt ständig ab", "Geld zurück, das ist Betrug"],
    "Polish": ["Świetna aplikacja, działa szybko", "Ciągle się zawiesza", "Nie mogę się zalogować"],
    "English": ["A great app, it works", "It crashes after each update", "I want my money back"],
}
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


def rows_in(language: str, number: int = 18, other: str = "a plain row of letters that are all ASCII") -> str:
    """A CSV file; every second row is of the language."""
    texts = [text if row % 2 == 0 else f"{other} {row}" for row, text in enumerate(TEXTS[language] * (number // 3))]
    return "text,label\n" + "".join(f'"{text}",{"ab"[row // 2 % 2]}\n' for row, text in enumerate(texts))


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", [*WIDE, "utf-8"])
@pytest.mark.parametrize("marked", [False, True])
def test_unicode_is_told(language: str, encoding: str, marked: bool) -> None:
    for text in (rows_in(language), "\n".join(f'{{"text": "{text}"}}' for text in TEXTS[language])):
        head = (("\ufeff" if marked else "") + text).encode(encoding)
        found = encoding_of(head)
        assert found == Encoding(encoding[:6].rstrip("-") if marked else encoding)
        assert head.decode(str(found.name)).lstrip("\ufeff") == text
        assert encoding_of(head[:-3]).name == found.name, "cut within a letter"
        assert contradicts(head, encoding) is None


# language -> encodings that are told by the letters
OLD = {
    "Russian": ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic"),
    "Greek": ("cp1253", "iso8859-7"),
    "Hebrew": ("cp1255", "iso8859-8"),
    "Arabic": ("cp1256",),
    "Thai": ("cp874", "tis-620"),
    "Chinese": ("gbk", "gb18030", "gb2312"),
    "Japanese": ("shift_jis", "cp932", "euc_jp", "iso2022_jp"),
    "Korean": ("cp949", "euc_kr"),
    "German": ("cp1252", "latin-1"),
    "Polish": ("cp1250",),
}


@pytest.mark.parametrize(
    ("language", "encoding"), [(language, encoding) for language, names in OLD.items() for encoding in names]
)
def test_an_old_encoding_is_guessed_right_and_its_letters_are_shown(language: str, encoding: str) -> None:
    text = rows_in(language)
    found = encoding_of(text.encode(encoding))
    assert text.encode(encoding).decode(str(found.name)) == text
    assert found.guessed == (encoding != "iso2022_jp")
    assert found.line in ("", text.splitlines()[1])
    assert bool(found.line) == found.guessed


@pytest.mark.parametrize("language", ["Russian", "Japanese", "Chinese", "German"])
def test_a_guess_is_said_by_all_that_read(tmp_path: Path, caplog: pytest.LogCaptureFixture, language: str) -> None:
    encoding = OLD[language][0]
    content = rows_in(language).encode(encoding)
    name, first = encoding_of(content).name, TEXTS[language][0]
    (tmp_path / "rows.csv").write_bytes(content)
    guess = describe(tmp_path / "rows.csv").guess
    assert guess.startswith(f"It looks like {name}, with which a line reads ")
    assert first in guess
    trained_on(tmp_path, "rows.csv", content, format="csv")
    assert f"is read as UTF-8, but is not valid UTF-8. It looks like {name}, " in caplog.text
    assert first in caplog.text
    assert f"Set download.dataset.encoding: {name}, or save the file as UTF-8." in caplog.text
    with pytest.raises(
        DataError, match=rf"line 2 is not UTF-8 .* looks like {name}, .*Add: --encoding {name}\."
    ) as got:
        predicted(tmp_path, "rows.csv")
    assert first in str(got.value)
    rows = trained_on(tmp_path, "rows.csv", content, format="csv", encoding=str(name))
    assert rows[0][0] == predicted(tmp_path, "rows.csv", encoding=name)[0][0] == first


@pytest.mark.parametrize("language", ["Russian", "Japanese", "Chinese", "German"])
@pytest.mark.parametrize("break_", ["\n", " "], ids=["lines", "one line"])
def test_letters_far_into_a_file_are_seen(language: str, break_: str) -> None:
    encoding = OLD[language][0]
    text = f"a plain row,a{break_}" * 9_000 + rows_in(language, 60).replace("\n", break_)
    for cut in range(1, 9):
        head = text.encode(encoding)[:-cut]
        found = encoding_of(head)
        assert head.decode(str(found.name), "ignore") == head.decode(encoding, "ignore")


FEW = {  # a few letters beyond ASCII in English
    "pounds": "win £100,now £5\n",
    "quotes": "don\u2019t,it\u2019s \u201cfine\u201d\n",
    "an accent": "the caf\xe9 is nice,a\n",
    "a degree": "20\xb0C today,a\n",
    "a dash": "fine \u2013 really,a\n",
    "a hard space": "good\xa0app,a\n",
    "Spanish": "muy r\xe1pida, \xa1qu\xe9 ilusi\xf3n!,\xbfs\xed?\n",
    "euros": "for 5 \u20ac,10\u20ac\n",
}


@pytest.mark.parametrize("case", FEW)
@pytest.mark.parametrize("times", [1, 50])
def test_a_few_letters_are_taken_for_western(case: str, times: int) -> None:
    found = encoding_of(("text,label\n" + FEW[case] * times).encode("cp1252"))
    assert (found.name, found.guessed) == ("cp1252", True)


SAID: dict[str, tuple[str, str, str]] = {  # encoding of the file, said -> what must be said
    "UTF-16 as UTF-8": ("utf-16-le", "utf-8", "utf-16-le"),
    "UTF-16 with a mark as UTF-8": ("utf-16", "utf-8", "utf-16"),
    "UTF-32 as UTF-8": ("utf-32-be", "utf-8", "utf-32-be"),
    "UTF-16 as cp1252": ("utf-16-be", "cp1252", "utf-16-be"),
    "UTF-16 of the other order": ("utf-16-be", "utf-16-le", "utf-16-be"),
    "UTF-16 without its mark": ("utf-16-be", "utf-16", "utf-16-be"),
    "UTF-8 as UTF-16": ("utf-8", "utf-16-le", "utf-8"),
    "ISO-2022-JP as UTF-8": ("iso2022_jp", "utf-8", "iso2022_jp"),
}


@pytest.mark.parametrize("case", SAID)
@pytest.mark.parametrize("language", ["Japanese", "English"])
def test_an_encoding_that_is_not_the_file_s_is_named(tmp_path: Path, case: str, language: str) -> None:
    encoding, said, right = SAID[case]
    if language == "English" and encoding == "iso2022_jp":
        pytest.skip("English is ASCII in it")
    content = rows_in(language).encode(encoding)
    with pytest.raises(
        DataError,
        match=rf"but is read as {said}\. Set download\.dataset\.encoding: {right}, or save the file as {said}\.$",
    ):
        trained_on(tmp_path, "rows.csv", content, format="csv", encoding=said)
    with pytest.raises(
        DataError,
        match=rf"but is read as {said}\. Add --encoding {right}, or save the file as {said}\.$",
    ):
        predicted(tmp_path, "rows.csv", encoding=said)
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"but is read as {said}\."):
        describe(tmp_path / "rows.csv", {"encoding": said})
    assert describe(tmp_path / "rows.csv").encoding == right


def test_utf_8_that_is_read_as_another_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained_on(tmp_path, "rows.csv", rows_in("German").encode(), format="csv", encoding="cp1252")
    assert "cp1252, but looks like UTF-8. Set download.dataset.encoding: utf-8, if that is right." in caplog.text
    caplog.clear()
    trained_on(tmp_path, "rows.csv", rows_in("German").encode("cp1252"), format="csv", encoding="cp1252")
    assert "looks like" not in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16", *WIDE])
@pytest.mark.parametrize("language", ["Russian", "Chinese", "English"])
def test_a_file_of_a_folder_that_is_in_another_encoding_is_named(tmp_path: Path, language: str, encoding: str) -> None:
    texts = {"data/a/1.txt": "good\n", "data/b/2.txt": "bad\n", "data/a/3.txt": " x\n".join(TEXTS[language])}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode(encoding if "3" in name else "utf-8"))
    (tmp_path / "out").mkdir()
    dataset = dataset_of("data", format="folders")
    strict = dataset.model_copy(update={"checks": dataset.checks.model_copy(update={"malformed_row": "fail"})})
    with pytest.raises(DataError, match=f"it is {encoding.upper()}, not utf-8"):
        write_dataset(tmp_path / "out", strict, root=tmp_path, unpack_limit=10_000_000)
    rows = {row["id"]: row["error"] for row in predicted(tmp_path, "")[1]}
    assert rows == {"a/1.txt": None, "b/2.txt": None, "a/3.txt": f"the file is {encoding.upper()}, not utf-8"}


NULS: dict[str, Callable[[], bytes]] = {
    "one": lambda: rows_in("English").replace("great", "gr\0eat").encode(),
    "one in Russian": lambda: rows_in("Russian").replace("быстро", "быст\0ро").encode(),
    "one in Chinese": lambda: rows_in("Chinese").replace("很快", "\0").encode(),
    "one per row": lambda: rows_in("English").replace('",', '\0",').encode(),
    "one per row, numbers": lambda: b"text,label\n" + b"12345678,1\0\n" * 9 + b"1234567,2\0\n" * 9,
}


@pytest.mark.parametrize("case", NULS)
def test_text_with_bytes_0_is_text_for_all_that_read(tmp_path: Path, case: str) -> None:
    content = NULS[case]()
    (tmp_path / "rows.csv").write_bytes(content)
    assert describe(tmp_path / "rows.csv").rows == 18
    assert len(trained_on(tmp_path, "rows.csv", content, format="csv")) == 18
    assert len(predicted(tmp_path, "rows.csv")[1]) == 18


PADDED = "a text with many bytes 0 (byte 0 at position"
NO_TEXT: dict[str, tuple[Callable[[], bytes], str]] = {
    "padded with bytes 0": (lambda: b"text,label\n" + b"good\0\0\0\0\0\0,a\n" * 9, PADDED),
    "a pickle": (lambda: pickle.dumps([{"text": f"text {row}"} for row in range(200)]), "a Python pickle"),
    "numbers": (lambda: b"\x93NUMPY" + bytes(range(256)) * 9, "a table of another format"),
    "no byte 0": (lambda: bytes(range(1, 256)) * 9, "a binary file (byte 1 at position 0)"),
}


@pytest.mark.parametrize("case", NO_TEXT)
def test_what_is_no_text_is_named(tmp_path: Path, case: str) -> None:
    make, what = NO_TEXT[case]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.csv").write_bytes(make())
    for read in (lambda: describe(tmp_path / "data/rows.csv"), lambda: predicted(tmp_path, "rows.csv")):
        with pytest.raises(DataError) as error:
            read()
        assert what in str(error.value)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 60_000])
def test_any_bytes_get_an_answer(size: int) -> None:
    for head in (os.urandom(size), bytes(size), b"\n" * size, gzip.compress(os.urandom(size)), codecs.BOM_UTF16_LE):
        assert encoding_of(head).name in (None, *WIDE, "utf-8", "utf-16") or encoding_of(head).guessed
        contradicts(head, "utf-16")


def test_options(tmp_path: Path) -> None:
    """A model of text that is not UTF-8 reads UTF-8 all the same (`contradicts`)."""
    said: dict[str, Any] = {"cp1251": "utf-8", "utf-16-le": "utf-8", "utf-8": None}
    assert {name: contradicts(rows_in("Russian").encode(), name) for name in said} == said
    assert contradicts(b"", "utf-16-le") is None


@pytest.mark.parametrize("text", ["a,b\n\x7f,\x7f\n", "\x01\x02\x03", '{"text": "\x1b[0m\x07"}', "\x08é"])
def test_control_characters_in_utf_8_are_text(text: str) -> None:
    assert encoding_of(text.encode()) == Encoding("utf-8")
