"""Files that a prompt names: what is told of each kind, and what is refused in one
line.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context import attached
from codebuddy_jupyter.context.attached import attach_file, find_file, mention_of
from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.secrets.redactor import redact
from tests.support.attached_files import attached_text, refusal, write

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def test_a_relative_path_is_of_the_notebooks_folder(tmp_path: Path) -> None:
    write(tmp_path, "data/notes.txt", "hello")
    assert attached_text(tmp_path, "data/notes.txt") == "data/notes.txt: 5 B\nhello"


def test_a_path_may_go_out_and_come_back(tmp_path: Path) -> None:
    write(tmp_path, "book/notes.txt", "hello")
    assert attached_text(tmp_path / "book", "../book/notes.txt").endswith("hello")


def test_a_relative_path_that_leads_out_says_how_to_send_it(tmp_path: Path) -> None:
    path = write(tmp_path, "secret.txt", "hello")
    (tmp_path / "book").mkdir()
    assert refusal(tmp_path / "book", "../secret.txt") == (
        "../secret.txt is outside the notebook's folder. Write its full path to "
        "send it anyway: "
        f"{mention_of(os.path.realpath(path))}"
    )


def test_a_path_that_leads_out_is_refused_whether_it_is_there_or_not(
    tmp_path: Path,
) -> None:
    assert "is outside the notebook's folder" in refusal(tmp_path, "../nothing.txt")


def test_a_symbolic_link_does_not_lead_out(tmp_path: Path) -> None:
    write(tmp_path, "secret.txt", "hello")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert "is outside the notebook's folder" in refusal(tmp_path / "book", "link.txt")


def test_a_folder_that_is_a_symbolic_link_holds_its_files(tmp_path: Path) -> None:
    write(tmp_path, "real/notes.txt", "hello")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert attached_text(tmp_path / "link", "notes.txt").endswith("hello")


def test_a_path_that_is_spelled_out_may_be_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path, "notes.txt", "hello")
    (tmp_path / "book").mkdir()
    assert attached_text(tmp_path / "book", str(path)).endswith("hello")


def test_a_path_in_the_users_home_is_spelled_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "home/notes.txt", "hello")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "book").mkdir()
    assert attached_text(tmp_path / "book", "~/notes.txt") == "~/notes.txt: 5 B\nhello"


def test_without_a_notebook_the_current_folder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "notes.txt", "hello")
    monkeypatch.chdir(tmp_path)
    assert attach_file("notes.txt")[0].endswith("hello")


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "data/sales 2024.csv", "a\n1")
    assert refusal(tmp_path, "data/sale2024.csv") == (
        "There is no file data/sale2024.csv to attach. "
        f'Did you mean @file:"{Path("data", "sales 2024.csv")}"? '
        "Or write \\@file to send it as text"
    )


def test_a_file_in_a_missing_folder_says_so(tmp_path: Path) -> None:
    assert "its folder does not exist either" in refusal(tmp_path, "nowhere/a.csv")


def test_a_file_unlike_any_other_is_just_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.csv").startswith(
        "There is no file a.csv to attach. Write"
    )


@pytest.mark.parametrize(
    "target", ["a\0b", "~nobody-of-this-name/x"], ids=["a NUL", "no such user"]
)
def test_what_is_no_path_is_refused(tmp_path: Path, target: str) -> None:
    assert "path" in refusal(tmp_path, target) or "no file" in refusal(tmp_path, target)


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "x" * 5000)


def test_a_symbolic_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(tmp_path, "loop")


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "notes.txt", "hello")

    def denied(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert (
        refusal(tmp_path, "notes.txt") == "notes.txt cannot be read: Permission denied."
    )


@pytest.mark.parametrize(
    ("path", "mention"),
    [
        ("a.csv", "@file:a.csv"),
        ("a b.csv", '@file:"a b.csv"'),
        ("it's", '@file:"it\'s"'),
        ('6" disk', "@file:'6\" disk'"),
        ("data)", '@file:"data)"'),
    ],
)
def test_a_path_is_mentioned_in_quotes_where_need_be(path: str, mention: str) -> None:
    assert mention_of(path) == mention


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("größe €".encode(), "größe €"),
        (b"\xef\xbb\xbfhello", "hello"),
        ("größe".encode("utf-16"), "größe"),
        ("größe".encode("latin-1"), "größe"),
        (b"\xa3 100 caf\xe9", "£ 100 café"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
        (b"", ""),
    ],
    ids=[
        "UTF-8",
        "with its mark",
        "UTF-16",
        "Latin-1",
        "Latin-1 at both ends",
        "foreign line ends",
        "nothing",
    ],
)
def test_text_is_read_in_the_usual_encodings(
    tmp_path: Path, data: bytes, text: str
) -> None:
    write(tmp_path, "a.txt", data)
    assert attached_text(tmp_path, "a.txt").split("\n", 1)[1] == text


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04\0\0", bytes(range(1, 32)) * 10, b"text\0text"]
)
def test_what_is_not_text_is_refused(tmp_path: Path, data: bytes) -> None:
    write(tmp_path, "a.pkl", data)
    assert refusal(tmp_path, "a.pkl").startswith("a.pkl is not text")


def test_of_a_long_text_head_and_tail_are_told(tmp_path: Path) -> None:
    write(tmp_path, "a.log", "".join(f"line {number}\n" for number in range(50_000)))
    text = attached_text(tmp_path, "a.log")
    assert len(text) < 8_200
    assert text.startswith("a.log: 539 kB\nline 0\nline 1\n")
    assert text.endswith("line 49999")
    assert "lines left out]" in text


def test_of_one_long_line_head_and_tail_are_told(tmp_path: Path) -> None:
    write(tmp_path, "a.json", json.dumps(list(range(50_000))))
    text = attached_text(tmp_path, "a.json")
    assert len(text) < 8_200
    assert text.endswith("49998, 49999]")
    assert "characters left out]" in text


def test_a_huge_file_is_read_at_its_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.write(b"-" + "é".encode() * 40_000)
        file.seek(3_000_000_000)
        file.write("é".encode() * 40_000 + b"the end")
    # the head ends and the tail begins within a character
    monkeypatch.setattr(attached, "END_BYTES", 63_998)
    text = attached_text(tmp_path, "huge.txt")
    assert text.startswith("huge.txt: 3.0 GB\n-éé")
    assert "[about 3.0 GB left out]" in text
    assert text.endswith("ééthe end")
    assert len(text) < 8_200


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.txt", "any.csv", "any.ipynb", "any.json", "any.png"):
        write(folder, name, data)
        with contextlib.suppress(PromptError):
            assert isinstance(attached_text(folder, name), str)


def test_a_folder_is_told_by_its_names(tmp_path: Path) -> None:
    write(tmp_path, "data/b.csv", "")
    write(tmp_path, "data/A.csv", "")
    write(tmp_path, "data/.hidden", "")
    (tmp_path / "data" / "more").mkdir()
    assert (
        attached_text(tmp_path, "data")
        == "data: a folder, 3 names\nA.csv\nb.csv\nmore/"
    )
    assert attached_text(tmp_path, ".").startswith(".: a folder")


def test_a_large_folder_is_told_in_part(tmp_path: Path) -> None:
    for number in range(120):
        write(tmp_path, f"data/{number:03}.txt", "")
    assert attached_text(tmp_path, "data").endswith("099.txt\n… 20 more")


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("a.JPG", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.gif", b"GIF89a", "image/gif"),
        ("a.webp", b"RIFF\0\0\0\0WEBP", "image/webp"),
        ("really-a-jpeg.png", b"\xff\xd8\xff\xe0", "image/jpeg"),
    ],
)
def test_a_picture_is_attached_as_an_image(
    tmp_path: Path, name: str, data: bytes, kind: str
) -> None:
    write(tmp_path, name, data)
    text, (image,) = attach_file(name, tmp_path)
    assert (image.data, image.media_type) == (data, kind)
    assert f"an image ({kind})" in text


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "no picture")
    assert "is not an image" in refusal(tmp_path, "a.png")


def test_a_picture_that_is_too_large_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.png", PNG + b"\0" * 5_000_000)
    assert "too large" in refusal(tmp_path, "a.png")


def test_a_workbook_says_how_it_can_be_told(tmp_path: Path) -> None:
    write(tmp_path, "a b.xlsx", b"PK")
    assert "df = pandas.read_excel('a b.xlsx'), and mention @df" in refusal(
        tmp_path, "a b.xlsx"
    )


def test_a_device_is_never_read(tmp_path: Path) -> None:
    assert refusal(tmp_path, os.devnull)


def test_a_notebook_is_told_by_its_cells(tmp_path: Path) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": ["3\n"]}
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Sales"},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": ["x = 1\n", "print(x + 2)"],
            "outputs": [output],
        },
    ]
    write(
        tmp_path,
        "other.ipynb",
        json.dumps(
            {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        ),
    )
    title, text = attached_text(tmp_path, "other.ipynb").split("\n", 1)
    assert title.startswith("other.ipynb: ")
    assert title.endswith(", a notebook of 2 cells")
    assert (
        text
        == "--- markdown cell 1\n# Sales\n--- code cell 2\nx = 1\nprint(x + 2)\noutput: 3"
    )


def test_a_notebook_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "other.ipynb", "{")
    assert (
        refusal(tmp_path, "other.ipynb")
        == "other.ipynb cannot be read: it is not valid JSON."
    )


def test_a_found_file_is_given_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "")
    assert find_file("a.txt", tmp_path) == Path(os.path.realpath(path))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("users.csv", "user,password\njo,swordfish\nann,correct|horse\n"),
        ("users.tsv", "user\tpassword\njo\tswordfish\nann\tcorrect|horse\n"),
        ("users.csv", "password\nswordfish\ncorrect|horse\n"),
        ("users.md", "| user | password |\n|---|---|\n| jo | swordfish |\n"),
    ],
)
def test_a_column_for_passwords_of_a_file_is_redacted(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    attached = attach_file(name, tmp_path).text
    assert "swordfish" in attached
    redacted = redact(attached)
    assert "swordfish" not in redacted
    assert "horse" not in redacted
    assert "password" in redacted
