"""A reply as it is drawn: what is settled, what still grows, and how often it is drawn."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.display.drawing import (
    TAIL_SPEED,
    Drawing,
    EachPiece,
    OneBlock,
    Pace,
    Splitter,
    splitter_for,
)
from codebuddy_jupyter.markdown.blocks import Blocks
from codebuddy_jupyter.messages import Chunk

PACE = Pace(before_text=0.02, between=0.1)


@pytest.fixture
def reply(loop: Loop) -> Reply:
    """A reply to which a test adds chunks."""

    async def never_asked(reply: Reply) -> AsyncIterator[Chunk]:
        yield Chunk()

    return Reply("why?", never_asked, loop)


@dataclass
class Surface:
    """Draws onto itself; each drawing takes some seconds of a clock that is set by hand."""

    cost: float = 0.0
    now: float = 0.0
    blocks: list[str] = field(default_factory=list)
    draws: int = 0

    def put(self, settled: list[str]) -> None:
        self.blocks += settled
        self.draws += 1
        self.now += self.cost

    def clock(self) -> float:
        return self.now


def a_drawing(reply: Reply, surface: Surface, splitter: Splitter) -> Drawing:
    return Drawing(reply, splitter, PACE, timer=surface.clock)


def draws_in_ten_seconds(reply: Reply, cost: float) -> int:
    """How often an answer that grows all the time is drawn in ten seconds of the clock."""
    surface = Surface(cost)
    drawing = a_drawing(reply, surface, Blocks())
    while surface.now < 10.0:
        reply.chunks.append(Chunk("word "))
        pause = drawing.draw(surface.put)
        surface.now += pause
    return surface.draws


@pytest.mark.parametrize(
    ("cost", "draws"), [(0.0, 100), (0.02, 84), (0.1, 20), (0.5, 4), (2.0, 1)]
)
def test_what_is_slow_to_draw_is_drawn_less_often(
    reply: Reply, cost: float, draws: int
) -> None:
    assert draws_in_ten_seconds(reply, cost) == pytest.approx(draws, abs=1)


def test_a_long_tail_is_drawn_less_often(reply: Reply) -> None:
    reply.chunks.append(Chunk("x" * 5 * TAIL_SPEED))
    surface = Surface()
    assert a_drawing(reply, surface, Blocks()).draw(surface.put) == 5.0


def test_what_is_settled_does_not_slow_down_the_drawing(reply: Reply) -> None:
    reply.chunks.append(Chunk("A paragraph.\n\n" * TAIL_SPEED + "The tail."))
    surface = Surface()
    assert a_drawing(reply, surface, Blocks()).draw(surface.put) == PACE.between


def test_the_first_text_is_looked_for_more_often(reply: Reply) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    assert drawing.draw(surface.put) == PACE.before_text
    reply.chunks.append(Chunk("Text"))
    assert drawing.draw(surface.put) == PACE.between


def test_a_surface_that_only_appends_may_ignore_the_cost() -> None:
    pace = Pace(0.02, 0.02, per_cost=0.0)
    assert pace.pause(has_text=True, size=0, cost=60.0) == 0.02


def test_there_is_no_drawing_after_the_end(reply: Reply) -> None:
    reply.chunks.append(Chunk("Text"))
    reply.close()
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    assert drawing.draw(surface.put) == math.inf
    assert drawing.done
    assert drawing.draw(surface.put) == math.inf
    assert surface.blocks == ["Text"]


def test_settled_blocks_are_drawn_once_and_the_tail_again(reply: Reply) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, splitter_for("markdown"))
    tails = []
    for text in ("One", ".\n\nTwo", ".\n\nThr", "ee.\n"):
        reply.chunks.append(Chunk(text))
        drawing.draw(surface.put)
        tails.append(drawing.tail_markdown())
    assert "".join(surface.blocks) + tails[-1] == "One.\n\nTwo.\n\nThree.\n"
    assert surface.blocks == ["One.\n\n", "Two.\n\n"]
    assert tails[0] == "One"


def test_a_format_that_is_not_markdown_is_one_block(reply: Reply) -> None:
    reply.format = "json"
    surface = Surface()
    drawing = a_drawing(reply, surface, splitter_for("json"))
    reply.chunks.append(Chunk('{"a": 1}\n\n{"b'))
    drawing.draw(surface.put)
    assert surface.blocks == []
    assert drawing.tail_markdown() == '```json\n{"a": 1}\n\n{"b\n```\n'
    reply.chunks.append(Chunk('": 2}'))
    reply.close()
    drawing.draw(surface.put)
    assert surface.blocks == ['{"a": 1}\n\n{"b": 2}']
    assert drawing.tail_markdown() == ""


@pytest.mark.parametrize("splitter", [EachPiece(), OneBlock(), Blocks()])
def test_all_of_a_text_is_drawn_and_nothing_twice(
    reply: Reply, splitter: Splitter
) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, splitter)
    for text in ("One.\n", "\nTwo.", "", "\n\n"):
        reply.chunks.append(Chunk(text))
        drawing.draw(surface.put)
    reply.close()
    drawing.draw(surface.put)
    assert "".join(surface.blocks) == "One.\n\nTwo.\n\n"


def test_the_tail_is_safe(reply: Reply) -> None:
    reply.chunks.append(Chunk("<img src=x onerror=run()>"))
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    drawing.draw(surface.put)
    assert "<img" not in drawing.tail_markdown()


def test_thoughts_are_complete_when_the_text_begins(reply: Reply) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    reply.chunks.append(Chunk(reasoning="Let me "))
    drawing.draw(surface.put)
    assert drawing.thoughts == ""
    reply.chunks += [Chunk(reasoning="think."), Chunk("So be it.")]
    drawing.draw(surface.put)
    assert drawing.thoughts == "Let me think."


def test_thoughts_without_an_answer_are_complete_at_the_end(reply: Reply) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    reply.chunks.append(Chunk(reasoning="Let me think."))
    reply.close()
    drawing.draw(surface.put)
    assert (drawing.thoughts, drawing.has_text) == ("Let me think.", False)


def test_below_a_text_that_stopped_it_says_for_how_long_nothing_has_come(
    reply: Reply,
) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    reply._add(Chunk(text="```python\nx = 1\n"))
    drawing.draw(surface.put)
    assert "nothing" not in drawing.tail_markdown()
    assert reply.last is not None
    reply.last -= 12
    fenced, _, line = drawing.tail_markdown().rpartition("\n\n")
    assert fenced == "```python\nx = 1\n```"
    assert line == "*nothing for 12 s; interrupt to stop*"
    # Counts for the server's silence, not for what it sends besides.
    reply._add(Chunk(note="A note."))
    assert "nothing for 12 s" in drawing.tail_markdown()
    reply._add(Chunk(text="y = 2\n"))
    drawing.draw(surface.put)
    assert "nothing" not in drawing.tail_markdown()


def test_between_two_blocks_it_says_so_as_well(reply: Reply) -> None:
    surface = Surface()
    drawing = a_drawing(reply, surface, Blocks())
    reply._add(Chunk(text="One.\n\n"))
    drawing.draw(surface.put)
    reply._add(Chunk(text="# Two\n\n"))
    drawing.draw(surface.put)
    tail = drawing.tail_markdown().strip()
    assert reply.last is not None
    reply.last -= 75
    stalled = "*nothing for 75 s; interrupt to stop*"
    assert drawing.tail_markdown() == f"{tail}\n\n{stalled}".lstrip()
    reply.close()
    drawing.draw(surface.put)
    assert drawing.tail_markdown() == ""


def test_text_that_turns_out_to_be_reasoning_is_taken_back(reply: Reply) -> None:
    drawing = a_drawing(reply, Surface(), Blocks())
    settled: list[str] = []
    taken_back = []
    for chunks in (
        [Chunk(reasoning="Hm. "), Chunk("Okay.\n\nSo\n")],
        [Chunk(" be it."), Chunk(answer_begins=True), Chunk("The ")],
        [Chunk("answer.")],
    ):
        for chunk in chunks:
            reply._add(chunk)
        drawing.draw(settled.extend)
        taken_back.append(drawing.takes_back)
    assert settled == ["Okay.\n\n"]
    assert taken_back == [False, True, False]
    assert drawing.tail_markdown() == "The answer."
    assert drawing.thoughts == "Hm. Okay.\n\nSo\n be it."


def test_nothing_is_taken_back_that_was_not_drawn(reply: Reply) -> None:
    drawing = a_drawing(reply, Surface(), Blocks())
    for chunk in (Chunk("Okay."), Chunk(answer_begins=True), Chunk("Yes.")):
        reply._add(chunk)
    drawing.draw(lambda settled: None)
    assert not drawing.takes_back
    assert drawing.tail_markdown() == "Yes."
    assert drawing.thoughts == "Okay."
