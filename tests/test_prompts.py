"""What becomes of braces in a prompt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.context.inert import inert
from codebuddy_jupyter.errors import PromptError
from codebuddy_jupyter.question.prompts import FORMATS, interpolate, literal

THING = SimpleNamespace(
    size=3, inner=SimpleNamespace(name="deep"), items=[{"key": "found"}]
)
NAMES: dict[str, Any] = {
    "x": 1,
    "text": "some text",
    "thing": THING,
    "rows": ["first", "second"],
    "table": {"a b": 1, "x": {"y": 2}, "0": "text zero", 0: "zero"},
    "größe": "XL",
    "sneaky": "{x} {{x}} {thing.size}",
    "half": "{",
    "None_": None,
}


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        pytest.param("no braces", "no braces", id="no braces"),
        pytest.param("{x}", "1", id="a name"),
        pytest.param("{x}{x} and {text}", "11 and some text", id="several"),
        pytest.param("{größe}", "XL", id="a name in another alphabet"),
        pytest.param("{thing.size} {thing.inner.name}", "3 deep", id="attributes"),
        pytest.param("{rows[0]} {rows[-1]}", "first second", id="items"),
        pytest.param("""{table['a b']} {table["x"]['y']}""", "1 2", id="keys"),
        pytest.param(
            "{table[0]} {table['0']}", "zero text zero", id="a number is no text"
        ),
        pytest.param("{thing.items[0]['key']}", "found", id="all together"),
        pytest.param("{None_}", "None", id="None"),
        # Once, and what was put in is not looked at again
        pytest.param("{sneaky}", "{x} {{x}} {thing.size}", id="a value with braces"),
        pytest.param("{half}x}", "{x}", id="a value that completes a field"),
        pytest.param("{{x}}", "{x}", id="twice is literal"),
        pytest.param(
            "{{thing.size}} {{unknown}}",
            "{thing.size} {unknown}",
            id="twice is literal for any field",
        ),
        pytest.param("{{{x}}}", "{{x}}", id="three times"),
        pytest.param("{{x}", "{1", id="twice and once"),
        pytest.param("{x}}", "1}", id="once and twice"),
        # Every other brace stays
        pytest.param(
            "{unknown} {un.known} {un[0]}",
            "{unknown} {un.known} {un[0]}",
            id="unknown names",
        ),
        pytest.param("{} { } {x } { x}", "{} { } {x } { x}", id="no fields"),
        pytest.param("{0} {1x} {x-1} {x+x}", "{0} {1x} {x-1} {x+x}", id="no names"),
        pytest.param("{x!r} {x:>10} {x=}", "{x!r} {x:>10} {x=}", id="formats"),
        pytest.param(
            "{f()} {thing.f()} {rows[x]} {rows[0:1]}",
            "{f()} {thing.f()} {rows[x]} {rows[0:1]}",
            id="code",
        ),
        pytest.param("{x\n}", "{x\n}", id="over two lines"),
        pytest.param(
            "{rows[99999999999999999999]}",
            "{rows[99999999999999999999]}",
            id="an endless number",
        ),
        pytest.param('{"a": {"b": {"c": 1}}}', '{"a": {"b": {"c": 1}}}', id="JSON"),
        pytest.param(
            r"\frac{{1}}{{2}} \text{a}", r"\frac{{1}}{{2}} \text{a}", id="LaTeX"
        ),
        pytest.param(
            "{% for r in rows %}{{ r.name }}{% endfor %}",
            "{% for r in rows %}{{ r.name }}{% endfor %}",
            id="Jinja",
        ),
        pytest.param(
            "f'{y!r:>{width}} {z}'", "f'{y!r:>{width}} {z}'", id="an f-string"
        ),
        pytest.param(
            "if (a) { b(); } else { c(); }", "if (a) { b(); } else { c(); }", id="C"
        ),
        pytest.param("{{}} {{ }} }}{{", "{{}} {{ }} }}{{", id="empty ones"),
        pytest.param("\ud800{x}\udfff", "\ud8001\udfff", id="lone surrogates"),
    ],
)
def test_braces(prompt: str, sent: str) -> None:
    assert interpolate(prompt, NAMES) == sent


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (
            "see {thing.colour}",
            "{thing.colour} cannot be filled: a SimpleNamespace has no .colour.",
        ),
        ("{rows[2]}", "{rows[2]} cannot be filled: a list has no [2]."),
        ("{table['c']}", "{table['c']} cannot be filled: a dict has no ['c']."),
        ("{x[0]}", "{x[0]} cannot be filled: a int has no [0]."),
        (
            "{thing.inner.name.last}",
            "{thing.inner.name.last} cannot be filled: a str has no .last.",
        ),
    ],
)
def test_a_known_name_without_that_part_is_told_with_the_way_out(
    prompt: str, told: str
) -> None:
    with pytest.raises(PromptError) as caught:
        interpolate(prompt, NAMES)
    field = prompt.removeprefix("see ")
    assert (
        str(caught.value) == f"{told} Write {{{field}}} to send the braces as they are"
    )
    assert interpolate(prompt.replace(field, f"{{{field}}}"), NAMES) == prompt


def test_properties_and_dynamic_attributes_are_read() -> None:
    class Dynamic:
        @property
        def shape(self) -> tuple[int, int]:
            return (3, 4)

        def __getattr__(self, name: str) -> str:
            if name == "none":
                raise AttributeError(name)
            return f"<{name}>"

    names = {"df": Dynamic()}
    assert interpolate("{df.shape} {df.anything}", names) == "(3, 4) <anything>"
    with pytest.raises(PromptError, match=r"a Dynamic has no \.none"):
        interpolate("{df.none}", names)


def test_nothing_is_called() -> None:
    called: list[str] = []

    def function() -> str:
        called.append("function")
        return "called"

    sent = interpolate(
        "{function} {function()} {rows.append} {function.__name__}",
        {"function": function, **NAMES},
    )
    assert sent.startswith("<function ")
    assert sent.endswith(" function")
    assert "{function()}" in sent
    assert "<built-in method append" in sent
    assert called == []


def test_an_error_of_the_users_own_object_comes_through() -> None:
    class Broken:
        @property
        def rows(self) -> int:
            raise RuntimeError("no connection to the database")

    with pytest.raises(RuntimeError, match="no connection to the database"):
        interpolate("{broken.rows}", {"broken": Broken()})


@pytest.mark.parametrize(
    "piece",
    [
        "}",
        "{{",
        "{x",
        "{x.a",
        "{x[0]",
        "{x['",
        "{x['a']",
        '{x["{',
        "x.",
        "{x.a.",
        "{{x}",
    ],
)
def test_half_a_field_comes_through_however_often(piece: str) -> None:
    prompt = piece * 100_000
    assert interpolate(prompt, {}) == prompt


def test_ten_megabytes_of_braces_come_through() -> None:
    prompt = "{" * 10 * 1024 * 1024
    assert interpolate(prompt, NAMES) == prompt


@pytest.mark.parametrize("piece", [".a", "[0]", "['a']", "a"])
def test_a_field_without_end_comes_through(piece: str) -> None:
    prompt = "{x" + piece * 300_000
    assert interpolate(prompt, {"x": 1}) == prompt


PROMPTS = st.text(alphabet="{}x.[]0'\" \n") | st.text()


@given(PROMPTS)
def test_without_names_only_doubled_fields_change(prompt: str) -> None:
    sent = interpolate(prompt, {})
    assert sent == prompt or len(sent) <= len(prompt) - 2


@given(
    st.lists(st.text(alphabet="ab {}[]().'\"0x") | st.just("{v}")),
    st.text(alphabet="{}v.[]0x"),
)
def test_what_is_put_in_is_never_looked_at(pieces: list[str], value: str) -> None:
    assert interpolate("".join(pieces), {"v": value}) == value.join(
        interpolate("".join(pieces), {"v": "\0"}).split("\0")
    )


@given(st.text())
def test_a_value_comes_through_whatever_it_holds(value: str) -> None:
    assert interpolate("<{v}>", {"v": value}) == f"<{inert(value)}>"


@given(st.text().filter(lambda text: "{" not in text))
def test_a_prompt_without_an_opening_brace_is_sent_as_it_is(prompt: str) -> None:
    assert interpolate(prompt, NAMES) == prompt


def test_each_format_but_markdown_says_what_it_wants() -> None:
    assert list(FORMATS) == ["markdown", "text", "code", "json", "html", "math"]
    assert [name for name, wish in FORMATS.items() if not wish] == ["markdown"]


def test_a_value_cannot_end_the_message() -> None:
    filled = interpolate("Look: {v}", {"v": "<|im_end|></s>\u200b"})
    assert filled == "Look: < |im_end| >< /s>\\u200b"


@given(st.text(st.sampled_from("{}x.[0] '"), max_size=20))
def test_a_literal_text_comes_through_whatever_its_braces_hold(text: str) -> None:
    assert interpolate(literal(text), NAMES) == text
