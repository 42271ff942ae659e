"""Mentions in a prompt: what is one, what is none, and what each attaches."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.items import Cell, Item, Notebook, Output
from codebuddy_jupyter.context.mentions import (
    Mention,
    find_mentions,
    resolve,
    unescaped,
)
from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.messages import Image


@dataclass
class Failure:
    text: str = "KeyError: 'price'"


@dataclass
class Session:
    """What a kernel would know."""

    variables: dict[str, Any] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    folder: Path | None = None
    failed: Failure | None = None
    inputs: dict[int, str] = field(default_factory=dict)
    outputs: dict[int, Any] = field(default_factory=dict)
    picture: Image | None = None
    asked: list[str] = field(default_factory=list)

    def names(self) -> Mapping[str, Any]:
        return self.variables

    def notebook(self) -> Notebook:
        self.asked.append("notebook")
        return Notebook(self.cells, folder=self.folder)

    def failure(self) -> Failure | None:
        return self.failed

    def input_of(self, number: int) -> str | None:
        return self.inputs.get(number)

    def has_output(self, number: int) -> bool:
        return number in self.outputs

    def output_of(self, number: int) -> Any:
        return self.outputs[number]

    def figure(self) -> Image | None:
        return self.picture


class Describers:
    def values(self, thing: object) -> str:
        return f"a {type(thing).__name__}"


def attached(prompt: str, session: Session) -> list[Item]:
    return resolve(find_mentions(prompt), session, Describers())


def refusal(prompt: str, session: Session) -> str:
    with pytest.raises(PromptError) as caught:
        attached(prompt, session)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def found(prompt: str) -> list[tuple[str, str, str]]:
    """Kind and target of each mention, and the text that it stands for."""
    return [
        (one.kind, one.target, prompt[one.start : one.end])
        for one in find_mentions(prompt)
    ]


@pytest.mark.parametrize(
    ("prompt", "kind", "target", "typed"),
    [
        ("why is @df empty?", "name", "df", "@df"),
        ("@df.", "name", "df", "@df"),
        ("(see @df)", "name", "df", "@df"),
        ("@df, please", "name", "df", "@df"),
        ("@df's index", "name", "df", "@df"),
        ('"@df"', "name", "df", "@df"),
        ("what is @df.price?", "name", "df", "@df"),
        ('what is @df["price"]?', "name", "df", "@df"),
        ("@größe", "name", "größe", "@größe"),
        ("@error_log", "name", "error_log", "@error_log"),
        ("explain @In[3].", "in", "3", "@In[3]"),
        ("@In[03]", "in", "3", "@In[03]"),
        ("@Out[12], then?", "out", "12", "@Out[12]"),
        ("@In[-1]", "name", "In", "@In"),
        ("fix @error!", "error", "", "@error"),
        ("describe @plot.", "plot", "", "@plot"),
        ("read @file:data.csv.", "file", "data.csv", "@file:data.csv"),
        ("read @file:data.csv?", "file", "data.csv", "@file:data.csv"),
        ("(@file:data.csv)", "file", "data.csv", "@file:data.csv"),
        ("@file:data(1).csv", "file", "data(1).csv", "@file:data(1).csv"),
        ("@file:data(1)", "file", "data(1)", "@file:data(1)"),
        ("@file:data.csv's columns", "file", "data.csv", "@file:data.csv"),
        ("@file:../other/a.txt", "file", "../other/a.txt", "@file:../other/a.txt"),
        ("@file:.", "file", ".", "@file:."),
        ("@file:..", "file", "..", "@file:.."),
        ("@file:./", "file", "./", "@file:./"),
        ('@file:"a path.csv", and', "file", "a path.csv", '@file:"a path.csv"'),
        ("@file:'a path.csv'", "file", "a path.csv", "@file:'a path.csv'"),
        ("@file:~/notes.txt", "file", "~/notes.txt", "@file:~/notes.txt"),
        ("@file:C:\\data\\a.csv", "file", "C:\\data\\a.csv", "@file:C:\\data\\a.csv"),
        ("@file: data.csv", "name", "file", "@file"),
        ("A @B", "name", "B", "@B"),
        ("1. first\n\n    then @df", "name", "df", "@df"),
        ("a stray ` here\n\nand @df\n\nanother `", "name", "df", "@df"),
        ("@df\n\ndef f(): pass\n", "name", "df", "@df"),
    ],
)
def test_a_mention_is_found(prompt: str, kind: str, target: str, typed: str) -> None:
    assert found(prompt) == [(kind, target, typed)]


@pytest.mark.parametrize(
    "prompt",
    [
        "write to ann@example.org",
        "first.last+tag@example.org",
        "A @ B",
        "a@b",
        "x[0]@y",
        "(a)@b",
        "pip install git+ssh://git@github.com/a/b",
        "@",
        "@ df",
        "@3",
        "@@df",
        r"\@df",
        r"\\@df",
        "see `@df`",
        "see ``@df ` @x``",
        "```python\n@df\n```",
        "text\n~~~\n@df\n~~~\nmore",
        "```\nan open fence\n@df",
        "  ```\n@df\n  ```",
        "````\n```\n@df\n````",
        "look:\n\n    x = a @df\n",
        "look:\n\n\t@df\n",
        "    @df",
        "@property\ndef x(self): ...",
        '@app.route("/a/(b)")\n@login\nasync def f(): ...',
        "explain\n@dataclass(frozen=True)  # values\nclass A: ...",
        "class A:\n  @property\n  # why\n  @cache\n  def x(self): ...",
        "@app.get(\n    '/x',\n    tags=f(1),\n)\ndef f(): ...",
    ],
)
def test_what_only_looks_like_a_mention_is_none(prompt: str) -> None:
    shown = [text for _, _, text in found(prompt)]
    assert shown == []


def test_what_stands_before_and_after_code_is_read() -> None:
    prompt = "@a `@b` @c\n```\n@d\n```\n@e\n\n    @f\n\n@g\n\n@wraps\ndef h(): ...\n@i"
    assert [target for _, target, _ in found(prompt)] == ["a", "c", "e", "g", "i"]


def test_an_escaped_mention_is_sent_without_its_backslash() -> None:
    prompt = r"mail \@df, keep @df and `\@df` and \@ and \\@df"
    assert unescaped(prompt) == r"mail @df, keep @df and `\@df` and \@ and \\@df"


def test_a_prompt_without_mentions_is_left_alone() -> None:
    assert unescaped("a \\ b") == "a \\ b"


@given(st.text(alphabet="@\\`~ \n\tadefIn[3]()file:\"'.,#", max_size=60))
def test_any_prompt_is_read(prompt: str) -> None:
    ends = 0
    for one in find_mentions(prompt):
        assert prompt[one.start] == "@"
        assert ends <= one.start < one.end
        ends = one.end
    assert len(unescaped(prompt)) <= len(prompt)


@pytest.mark.parametrize(
    "piece",
    [
        "@",
        "@a(",
        "@a\n",
        "`",
        "``` ",
        "@file:",
        '@file:"',
        "@a(b(",
        "\\@",
        "@a.",
        "@a.)))",
    ],
)
def test_a_long_prompt_is_read_to_its_end(piece: str) -> None:
    find_mentions(piece * 20_000)
    unescaped(piece * 20_000)


def test_a_variable_is_attached_with_its_values() -> None:
    assert attached("why is @df empty?", Session({"df": {}})) == [
        Item("mention:df", "mentions", "@df", "a dict", position=(0,))
    ]


def test_what_is_named_twice_is_attached_once_where_it_was_named_first() -> None:
    items = attached("@b and @a and @b", Session({"a": 1, "b": 2}))
    assert [(item.title, item.position) for item in items] == [
        ("@b", (0,)),
        ("@a", (1,)),
    ]


def test_the_special_ones_win_over_variables_of_their_names() -> None:
    session = Session(
        {"error": 1, "plot": 2},
        failed=Failure("ValueError: no"),
        picture=Image(b"1", "image/png"),
    )
    assert [item.text[:10] for item in attached("@error @plot", session)] == [
        "ValueError",
        "The last f",
    ]


def test_a_variable_does_not_read_the_notebook() -> None:
    session = Session({"df": 1})
    attached("@df", session)
    assert session.asked == []


def test_an_unknown_variable_names_the_nearest() -> None:
    assert refusal("@df2", Session({"df": 1, "x": 2})) == (
        "There is no df2 to attach. Did you mean @df? "
        "Or write \\@df2 to send it as text"
    )


def test_an_unknown_variable_far_from_all_says_how_to_send_it() -> None:
    assert refusal("@guido", Session({"df": 1})) == (
        "There is no guido to attach. Write \\@guido to send it as text"
    )


def test_a_misspelt_special_names_it() -> None:
    assert "Did you mean @error?" in refusal("@eror", Session())


@pytest.mark.parametrize(
    ("prompt", "hint"),
    [("@In", "@In[3]"), ("@Out[x]", "@Out[3]"), ("@file", "@file:data.csv")],
)
def test_an_unfinished_mention_says_how_it_goes(prompt: str, hint: str) -> None:
    assert hint in refusal(prompt, Session())


RAN = tuple(
    Cell(f"c{number}", "code", f"x = {number}", number, "run")
    for number in (1, 2, 3, 5)
)


def test_a_cell_is_attached_as_it_was_run() -> None:
    edited = Cell("e", "code", "x = 8", 7, "changed", run_source="x = 7")
    items = attached("@In[3] @In[7]", Session(cells=(*RAN, edited)))
    assert [(item.id, item.text) for item in items] == [
        ("mention:In[3]", "x = 3"),
        ("mention:In[7]", "x = 7"),
    ]


def test_an_earlier_run_of_a_cell_can_be_attached() -> None:
    assert (
        attached("@In[4]", Session(cells=RAN, inputs={4: "x = 4"}))[0].text == "x = 4"
    )


def test_an_unknown_cell_names_those_that_there_are() -> None:
    assert refusal("@In[99]", Session(cells=RAN)) == (
        "There is no In[99] to attach: there are In[1] to In[3], In[5]."
    )


def test_of_many_cells_the_latest_are_named() -> None:
    cells = tuple(Cell(str(number), "code", "x", number) for number in range(0, 200, 2))
    assert refusal("@In[1]", Session(cells=cells)).endswith(
        "there are …, In[188], In[190], In[192], In[194], In[196], In[198]."
    )


def test_without_cells_that_is_said() -> None:
    assert "no cell of yours has run in this kernel yet" in refusal("@In[1]", Session())


def test_an_output_is_attached_by_its_value() -> None:
    assert [
        item.text for item in attached("@Out[3]", Session(cells=RAN, outputs={3: [1]}))
    ] == ["a list"]


def test_what_a_cell_printed_stands_for_a_missing_value() -> None:
    cell = Cell(
        "c",
        "code",
        "print(1)",
        4,
        "run",
        (Output("text", "1"), Output("image", "image 6x4")),
    )
    assert [item.text for item in attached("@Out[4]", Session(cells=(cell,)))] == [
        "1\nimage 6x4"
    ]


def test_a_cell_without_output_names_those_with_one() -> None:
    assert (
        refusal("@Out[3]", Session(cells=RAN, outputs={5: 1}))
        == "There is no Out[3] to attach: there is Out[5]."
    )


def test_without_any_output_that_is_said() -> None:
    assert refusal("@Out[3]", Session(cells=RAN)).endswith("no cell has an output yet.")


def test_the_last_error_is_attached() -> None:
    items = attached("@error", Session(failed=Failure()))
    assert [(item.id, item.title, item.text) for item in items] == [
        ("mention:error", "@error", "KeyError: 'price'")
    ]


def test_without_an_error_that_is_said() -> None:
    assert refusal("@error", Session()).startswith(
        "There is no recent error to attach. "
    )


def test_a_file_is_attached_from_the_notebooks_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    items = attached("@file:notes.txt.", Session(folder=tmp_path))
    assert [(item.id, item.text) for item in items] == [
        ("mention:file:notes.txt", "notes.txt: 5 B\nhello")
    ]


def test_the_last_figure_is_attached_as_an_image() -> None:
    picture = Image(b"picture", "image/png")
    (item,) = attached("@plot", Session(picture=picture))
    assert item.images == (picture,)
    assert item.text == "The last figure, as an image (image/png, 7 B)."


def test_a_figure_that_is_too_large_is_refused() -> None:
    assert "too large" in refusal(
        "@plot", Session(picture=Image(b"1" * 5_000_001, "image/png"))
    )


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Matplotlib without a window, as the user would have imported it."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    import matplotlib.pyplot as plots

    plots.close("all")
    yield plots
    plots.close("all")


def test_a_figure_that_is_open_is_drawn(figures: Any) -> None:
    figures.figure(figsize=(20, 5), dpi=200)
    (item,) = attached("@plot", Session())
    (image,) = item.images
    assert image.data.startswith(b"\x89PNG")
    assert int.from_bytes(image.data[16:20], "big") == 1024


def test_a_figure_that_cannot_be_drawn_costs_one_line(figures: Any) -> None:
    figures.figure().suptitle("$\\nonsense$")
    assert (
        refusal("@plot", Session())
        == "The figure cannot be drawn: ValueError. Show it in a cell first"
    )


def test_without_a_figure_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "matplotlib._pylab_helpers", types.ModuleType("other")
    )
    assert refusal("@plot", Session()).startswith("There is no figure to attach: ")


def test_a_mention_is_a_plain_value() -> None:
    assert find_mentions("see @df") == [Mention("name", "df", 4, 7)]


def test_something_of_an_installed_package_is_attached() -> None:
    (item,) = attached("how does @pkg:json.dumps work?", Session({}))
    assert item.title == "@pkg:json.dumps"
    assert item.text.splitlines()[1].startswith("dumps(obj, *, skipkeys=False")


@pytest.mark.parametrize(
    ("prompt", "target"),
    [
        ("@pkg:pandas.merge", "pandas.merge"),
        ("Is it @pkg:pd.merge?", "pd.merge"),
        ("Use @pkg:json.dumps.", "json.dumps"),
        ("(@pkg:json)", "json"),
    ],
)
def test_a_dotted_name_is_found_in_a_prompt(prompt: str, target: str) -> None:
    (mention,) = find_mentions(prompt)
    assert (mention.kind, mention.target) == ("pkg", target)
    assert prompt[mention.start : mention.end] == f"@pkg:{target}"


def test_a_package_that_is_not_imported_is_not_looked_at() -> None:
    message = refusal("@pkg:no_such_package.x", Session({}))
    assert "no_such_package is not imported in this kernel" in message
    assert "import no_such_package" in message


def test_an_unknown_name_in_a_package_names_the_nearest() -> None:
    message = refusal("@pkg:json.dump_s", Session({}))
    assert "There is no dump_s in json to attach." in message
    assert "@pkg:json.dumps" in message
