from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codebuddy_jupyter.providers.embedded.engine import Engine
from tests.support.demo_model import ANSWERS
from tests.support.engines import answer, engine_with
from tests.support.recital import (
    RecitedAnswer,
    mentions,
    write_recital,
)

TEXTS = {
    "markdown": "# Title\n\n- one *two* **three**\n- `four`\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "code": "Look:\n\n```python\nfor i in range(3):\n    print(i)  # indented\n```\n\nDone.",
    "emoji": "Family 👨‍👩‍👧‍👦, flag 🇩🇪, thumbs 👍🏽!",
    "cjk": "日本語のテキスト 和 中文文本",
    "maths": "So $x^2$ and\n\n$$\n\\int_0^1 \\frac{1}{x} \\, dx\n$$",
    "html": "Beware of <script>alert(1)</script> & <b onclick='x'>this</b>",
    "repeats": "again and again and again and again and again, and then again",
    "blank": "a  b   c\td\n\n\n\ne",
}
CALL = '<tool_call>\n{"name": "look", "arguments": {"name": "df"}}\n</tool_call>'


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    answers = [
        RecitedAnswer("I know nothing of that."),
        *(
            RecitedAnswer(text, mentions(f"case:{name}"))
            for name, text in TEXTS.items()
        ),
        RecitedAnswer(
            "<think>\nLet me see.\n</think>\n\nI have seen.", mentions("case:thought")
        ),
        RecitedAnswer(CALL, "tools"),
    ]
    with engine_with(tmp_path_factory.mktemp("recital"), answers) as engine:
        yield engine


@pytest.mark.parametrize("name", TEXTS)
def test_the_engine_recites_an_answer_word_for_word(engine: Engine, name: str) -> None:
    assert answer(engine, f"tell me case:{name}")["content"] == TEXTS[name]


def test_a_high_temperature_changes_no_word(engine: Engine) -> None:
    assert (
        answer(engine, "case:markdown", temperature=1.5)["content"] == TEXTS["markdown"]
    )


def test_words_are_found_in_any_case_in_the_last_user_message(engine: Engine) -> None:
    assert answer(engine, "Please: CASE:CJK?")["content"] == TEXTS["cjk"]


def test_the_first_answer_is_told_when_nothing_else_fits(engine: Engine) -> None:
    assert (
        answer(engine, "what is the weather? ☔")["content"]
        == "I know nothing of that."
    )


def test_a_think_block_arrives_as_reasoning(engine: Engine) -> None:
    message = answer(engine, "case:thought")
    assert (message["reasoning_content"].strip(), message["content"]) == (
        "Let me see.",
        "I have seen.",
    )


def test_a_tool_call_arrives_as_a_tool_call(engine: Engine) -> None:
    look = {
        "name": "look",
        "parameters": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    message = answer(
        engine, "look at df", tools=[{"type": "function", "function": look}]
    )
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["look"]


def test_an_answer_that_is_a_part_of_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a part of another: 'yes'"):
        write_recital(
            tmp_path / "model.gguf",
            [RecitedAnswer("yes no"), RecitedAnswer("yes", "true")],
        )
    assert not list(tmp_path.iterdir())


def test_a_model_is_written_whole_in_place_of_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"old")
    write_recital(file, [RecitedAnswer("new")])
    assert file.read_bytes()[:4] == b"GGUF"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "text", [entry.text for entry in ANSWERS], ids=lambda text: text[:20]
)
def test_every_demo_answer_says_that_it_is_recited_and_how_to_get_a_real_model(
    text: str,
) -> None:
    assert "recite" in text or "recital" in text or "demo" in text
    assert "%buddy /use embedded/hf:OWNER/REPO/FILE.gguf" in text
    assert "%buddy /use local" in text
