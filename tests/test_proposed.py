"""What an answer proposes, as Markdown below it."""

from __future__ import annotations

import io

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.display.proposed import numbers_of, proposed_markdown
from codebuddy_jupyter.display.screens import Terminal
from codebuddy_jupyter.messages import Chunk, Looked, Proposal

CHANGE = Proposal("a", "x = 2", 3, "x = 1")
NEW = Proposal("b", "print('```')")
DIFFERENCE = "```diff\n- x = 1\n+ x = 2\n```"


def reply_with(loop: Loop, text: str, *proposals: Proposal) -> Reply:
    looked = []
    for one in proposals:
        looked.append(Looked("it", "1 line", "", verb="proposed", proposal=one))
    chunk = Chunk(text, looked=tuple(looked), finish="stop")
    return Reply.ended_with("do it", chunk, loop, complete=True)


def test_each_proposal_says_how_it_is_applied(loop: Loop) -> None:
    reply = reply_with(loop, "```python\ny\n```\nSo.", CHANGE, NEW)
    shown = proposed_markdown(reply)
    assert list(numbers_of(reply)) == [2, 3]
    assert (
        f"**Proposed: a change of In[3].** Nothing was changed or run.\n\n{DIFFERENCE}"
        in shown
    )
    assert "`%buddy /apply 2`" in shown
    # No backticks in the code end its block.
    assert "````python\nprint('```')\n````" in shown
    assert "`%buddy /apply 3`" in shown


def test_an_open_block_counts_as_one(loop: Loop) -> None:
    assert list(numbers_of(reply_with(loop, "```python\ny", NEW))) == [2]
    assert list(numbers_of(reply_with(loop, "", NEW))) == [1]
    assert list(numbers_of(reply_with(loop, "So."))) == []


def test_a_terminal_writes_it_below_the_answer(loop: Loop) -> None:
    stream = io.StringIO()
    Terminal(reply_with(loop, "So.", CHANGE), stream).finish()
    written = stream.getvalue()
    assert written.startswith("So.\n\n**Proposed: a change of In[3].**")
    assert DIFFERENCE in written
