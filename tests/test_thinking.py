"""The text of a reply, split into reasoning and answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codebuddy_jupyter.messages import Chunk
from codebuddy_jupyter.providers.http.thinking import MOST_MARKS, Thinking


def chunks_of(*pieces: str) -> list[Chunk]:
    thinking = Thinking()
    chunks: list[Chunk] = []
    for piece in pieces:
        chunks += thinking.feed(piece)
    return [*chunks, *thinking.flush()]


def split(*pieces: str) -> tuple[str, str]:
    """Reasoning and answer, as a reply has them."""

    chunks = chunks_of(*pieces)
    starts = [number for number, chunk in enumerate(chunks) if chunk.answer_begins]
    start = starts[-1] if starts else 0
    reasoning = [chunk.reasoning + chunk.text for chunk in chunks[:start]]
    reasoning += [chunk.reasoning for chunk in chunks[start:]]
    return "".join(reasoning), "".join(chunk.text for chunk in chunks[start:])


def check_each_cut(text: str, reasoning: str, answer: str) -> None:
    assert split(text) == (reasoning, answer)
    assert split(*text) == (reasoning, answer)
    for cut in range(len(text)):
        assert split(text[:cut], text[cut:]) == (reasoning, answer)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>why</think>because", "why", "because"),
        ("\n <think>\nwhy\n</think>\n\nbecause", "why\n", "because"),
        ("<think>\n\n</think>\n\nbecause", "", "because"),
        ("<think>never closed", "never closed", ""),
        ("<think>almost</thin", "almost</thin", ""),
        ("<think>a < b</think>    code", "a < b", "    code"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("<think>a</think>\n\n<think>b</think>\n\nbecause", "ab", "because"),
        ("<think>why</think>\n</think>\nbecause", "why", "because"),
        ("<THINK>why</THINK>because", "why", "because"),
        (
            "<think>what `</think>` does?</think>It closes.",
            "what `</think>` does?",
            "It closes.",
        ),
        ("Sure.\n<think>\nwhy\n</think>\nbecause", "why\n", "Sure.\nbecause"),
    ],
)
def test_a_tag_at_the_start_opens_reasoning_however_it_is_cut(
    text: str, reasoning: str, answer: str
) -> None:
    check_each_cut(text, reasoning, answer)


FAMILIES = {
    "DeepSeek, Qwen": "<think>why</think>\n\nbecause",
    "Magistral": "[THINK]why[/THINK]because",
    "Claude by prompt": "<thinking>why</thinking>\n\nbecause",
    "EXAONE": "<thought>why</thought>\n\nbecause",
    "reasoning": "<reasoning>why</reasoning>\nbecause",
    "Seed": "<seed:think>why</seed:think>because",
    "Kimi": "◁think▷why◁/think▷because",
    "Cohere": (
        "<|START_THINKING|>why<|END_THINKING|><|START_RESPONSE|>because<|END_RESPONSE|>"
    ),
    "Sky-T1": (
        "<|begin_of_thought|>why<|end_of_thought|>\n\n"
        "<|begin_of_solution|>\nbecause<|end_of_solution|>"
    ),
    "Hunyuan": "<think>why</think>\n<answer>\nbecause</answer>",
    "Gemma": "<|channel>thought\nwhy<channel|>because",
    "gpt-oss": (
        "<|channel|>analysis<|message|>why<|end|>"
        "<|start|>assistant<|channel|>final<|message|>because<|return|>"
    ),
    "gpt-oss with a call": (
        "<|channel|>commentary to=functions.f <|constrain|>json<|message|>why<|call|>"
        "<|start|>assistant<|channel|>final <|constrain|>text<|message|>because"
    ),
    "Solar": "<|think|>why<|end|><|begin|>assistant<|content|>because<|end|>",
}


@pytest.mark.parametrize("text", FAMILIES.values(), ids=FAMILIES)
def test_the_marks_of_each_family_are_known(text: str) -> None:
    check_each_cut(text, "why", "because")


def test_reasoning_in_words_is_known() -> None:
    text = "Here is my thought process: why. Here is my response: because"
    check_each_cut(text, "why. ", " because")


OPENED = {
    "on a line of its own": ("Okay, the user…\n", "</think>", "\n\nbecause"),
    "after a sentence": ("Okay.", "</think>", "\n\nbecause"),
    "between words": ("Okay", "</think>", "because"),
    "between sentences": ("Okay. ", "</think>", " Because"),
    "with another tag": ("Okay\n", "</thinking>", "\n\nbecause"),
    "with brackets": ("Okay\n", "[/THINK]", "because"),
    "with triangles": ("Okay", "◁/think▷", "because"),
    "with a token": ("Okay", "<|END_THINKING|>", "because"),
    "after speaking of the tag": (
        "They ask for `<think>` and `</think>`.\n",
        "</think>",
        "\n\nbecause",
    ),
    "after code": ("So:\n```\nx\n```\n", "</think>", "\nbecause"),
    "with a letter that grows": ("İ\n", "</think>", "\n\nbecause"),
}


@pytest.mark.parametrize(
    ("before", "mark", "after"), OPENED.values(), ids=OPENED.keys()
)
def test_reasoning_that_the_template_opened_is_told_by_its_end(
    before: str, mark: str, after: str
) -> None:
    answer = after if after.startswith(" ") else after.lstrip()
    check_each_cut(before + mark + after, before, answer)


def test_messages_whose_first_head_the_template_wrote_are_known() -> None:
    rest = "<|end|><|start|>assistant<|channel|>final<|message|>because"
    check_each_cut(f"why{rest}", "why", "because")


def test_messages_without_their_tokens_are_known() -> None:
    text = "analysisWe need why.assistantfinalbecause"
    check_each_cut(text, "analysisWe need why.", "because")


def test_an_end_without_any_reasoning_is_left_out() -> None:
    check_each_cut("\n</think>\n\nbecause", "", "because")


def test_an_answer_that_never_comes_leaves_reasoning() -> None:
    check_each_cut("Only thoughts.\n</think>", "Only thoughts.\n", "")


@pytest.mark.parametrize(
    "text",
    [
        "<thinker>is a word",
        "<thin",
        "  indented",
        "",
        "the tag <think>x</think> is text",
        "Write `</think>` at the end.\n\nDone.",
        "The tag </think> closes it, and <think> opens it.",
        "The closing tag is </think>.",
        "It ends with '</think>' or \"</think>\" or (</think>).",
        "```xml\n<think>\nwhy\n</think>\nbecause\n```\n\nThat is the form.",
        "- ~~~\n  </think>\n  ~~~\n",
        "So:\n\n    </think>\n\nThat is the form.",
        "</think> is the closing tag.",
        "- `<think>` opens\n- `</think>` closes\n",
        "Harmony writes `<|channel|>final` and `<|end|><|start|>`.",
        "```\n<|channel|>analysis<|message|>x<|end|><|start|>assistant\n```\n",
        "analysisResult = 3",
        "a < b and [1, 2] and <b>x</b>",
        "| tag | what |\n|---|---|\n| </think> | the end |\n",
    ],
)
def test_an_answer_that_speaks_of_the_marks_stays(text: str) -> None:
    check_each_cut(text, "", text)


@given(st.lists(st.text(alphabet="<>/think ax\n`", max_size=9)))
def test_thinking_reads_the_same_whatever_the_pieces(pieces: list[str]) -> None:
    assert split(*pieces) == split("".join(pieces))


@given(st.lists(st.sampled_from(["<think>", "</think>", "\n", "a", ". ", "`", " "])))
def test_tags_read_the_same_whatever_the_pieces(pieces: list[str]) -> None:
    assert split(*pieces) == split("".join(pieces))


def test_only_what_may_be_a_mark_is_held_back() -> None:
    thinking = Thinking()
    assert list(thinking.feed("Hello <b> ")) == [Chunk("Hello <b> ")]
    assert list(thinking.feed("and <")) == [Chunk("and ")]
    assert list(thinking.feed("i>")) == [Chunk("<i>")]


def test_an_answer_full_of_marks_is_read_in_bounded_time() -> None:
    text = "the tag </think> closes, " * (20 * MOST_MARKS)
    assert split(*[text[at : at + 7] for at in range(0, len(text), 7)]) == ("", text)
