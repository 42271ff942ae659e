"""What a question tells of errors: each once, and what is on their failing lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from codebuddy_jupyter.background.loop import Loop
from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.chat.conversation import Turn
from codebuddy_jupyter.chat.reply import Reply
from codebuddy_jupyter.context.fit import ItemRecord, SentItems
from codebuddy_jupyter.context.items import SECTIONS, Item, Snapshot
from codebuddy_jupyter.context.session import Session
from codebuddy_jupyter.display.screens import Display
from codebuddy_jupyter.errors import Unreachable
from codebuddy_jupyter.ipython.extension import Extension
from codebuddy_jupyter.question.unsent import MAX_NAMES, unsent_after
from tests.support.fakes import FakeProvider
from tests.support.sessions import forget_outputs, run

ERROR = Item("error", "error", "error in In[2]", "KeyError", identity="two")
EARLIER = Item("error:a", "outputs", "error in In[1]", "NameError")
ATTACHED = Item("mention:error", "mentions", "@error", "KeyError")
FRAME = Item("variable:df", "variables", "df", "df: a frame")
OTHER = Item("variable:n", "variables", "n", "n: int")


def taken(*items: Item) -> Snapshot:
    return Snapshot(items, frozenset(SECTIONS), failing=("variable:df",))


@pytest.fixture
def told(loop: Loop) -> Turn:
    """A turn that told everything but what is attached."""
    items = (ERROR, FRAME, OTHER)
    sent = {item.id: ItemRecord.of(item) for item in items}
    return Turn("why?", Reply("why?", lambda _: None, loop), sent_items=SentItems(sent))  # type: ignore[arg-type,return-value]


def ids(snapshot: Snapshot) -> list[str]:
    return [item.id for item in snapshot.items]


def test_an_attached_error_is_told_once() -> None:
    unsent = unsent_after(taken(FRAME, ERROR, ATTACHED), [])
    assert ids(unsent.snapshot) == ["variable:df", "error"]


def test_an_error_that_was_told_before_is_told_where_it_is_attached(told: Turn) -> None:
    unsent = unsent_after(taken(FRAME, OTHER, ERROR, ATTACHED), [told])
    assert ids(unsent.snapshot) == [
        "variable:df",
        "variable:n",
        "error",
        "mention:error",
    ]
    assert set(unsent.known.sent) == {"error", "variable:n"}


def test_nothing_is_told_again_without_a_reason(told: Turn) -> None:
    unsent = unsent_after(taken(FRAME, OTHER, ERROR), [told])
    assert set(unsent.known.sent) == {"error", "variable:df", "variable:n"}
    # Its variables may have changed since: it is the same error.
    changed = unsent_after(
        taken(FRAME, ERROR._replace(text="KeyError, d: 3 rows")), [told]
    )
    assert "variable:df" in changed.known.sent


def test_a_new_error_tells_what_is_on_its_lines_again(told: Turn) -> None:
    new = Item("error", "error", "error in In[5]", "TypeError", identity="five")
    unsent = unsent_after(taken(FRAME, OTHER, new), [told])
    assert "variable:df" not in unsent.known.sent
    assert "variable:n" in unsent.known.sent
    ranks = {item.id: item.rank for item in unsent.snapshot.items}
    assert ranks["variable:df"] < ranks["variable:n"]


def test_an_earlier_error_is_told_unless_it_was_the_last_one(told: Turn) -> None:
    assert "error:a" in ids(unsent_after(taken(EARLIER, ERROR), []).snapshot)
    assert "error:a" in ids(unsent_after(taken(EARLIER, ERROR), [told]).snapshot)
    past = Item("error:b", "outputs", "error in In[2]", "KeyError")
    assert "error:b" not in ids(unsent_after(taken(past, ERROR), [told]).snapshot)
    told.before = ()
    told.sent_items = SentItems()
    assert "error:b" in ids(unsent_after(taken(past, ERROR), [told]).snapshot)


def test_only_so_many_names_are_told_again() -> None:
    names = [FRAME._replace(id=f"variable:{n}") for n in range(2 * MAX_NAMES)]
    failing = tuple(item.id for item in names)
    snapshot = Snapshot((*names, ERROR), frozenset(SECTIONS), failing=failing)
    raised = [item for item in unsent_after(snapshot, []).snapshot.items if item.rank]
    assert [item.id for item in raised] == list(failing[:MAX_NAMES])


# Through the magic, in a shell of this process


@pytest.fixture
def asked(
    shell: InteractiveShell, buddy: Buddy, fake: FakeProvider
) -> Iterator[list[str]]:
    """The messages that the model was sent, for questions in cells of a shell."""
    forget_outputs(shell)
    extension = Extension(shell)
    shell.codebuddy = extension  # type: ignore[attr-defined]
    extension._buddy_and_display = buddy, Display()
    buddy.collector.session = Session(shell)
    run("import pandas as pd\ndf = pd.DataFrame({'amount': [1], 'city': ['x']})")
    messages: list[str] = []
    ask = fake.answer

    def noted(request: object) -> object:
        messages.append(request.messages[-1].text)  # type: ignore[attr-defined]
        return ask(request)  # type: ignore[arg-type]

    fake.answer = noted  # type: ignore[assignment]
    yield messages
    extension.unload()


COLUMNS = re.compile(r"^- df: .*'city'", re.MULTILINE)
FAILING = "df.nope.mean()"


@pytest.mark.parametrize("question", ["%buddy /fix", "%buddy why does @error come"])
def test_fix_tells_the_error_and_the_frame_once(
    asked: list[str], question: str
) -> None:
    run(FAILING)
    run(question)
    assert asked[-1].count("Error in In[2]:") == 1
    assert "@error" not in asked[-1]
    assert asked[-1].count("\nAttributeError: ") == 1
    assert len(COLUMNS.findall(asked[-1])) == 1


def test_in_a_follow_up_the_failing_frame_is_described_again(asked: list[str]) -> None:
    run("%buddy what is in df")
    assert COLUMNS.search(asked[-1])
    run("n = 1")
    run(FAILING)
    run("%buddy /fix")
    assert len(COLUMNS.findall(asked[-1])) == 1
    assert asked[-1].count("\nAttributeError: ") == 1
    run("%buddy /fix in one line")
    assert len(COLUMNS.findall(asked[-1])) == 1
    assert asked[-1].count("\nAttributeError: ") == 1
    run("%buddy thanks")
    assert asked[-1] == "thanks"


QUESTIONS = ("plot df by city", "why did it fail?", "what is wrong with @error?", "")


@pytest.mark.parametrize("cells", [[], ["n = 1", "m = 2"]], ids=["news", "no news"])
def test_what_comes_first_is_the_same_for_any_question(
    asked: list[str], shell: InteractiveShell, buddy: Buddy, cells: list[str]
) -> None:
    """Also in a follow-up, where the error tells the failing frame again."""
    run("def pick(frame):\n    return frame['nope']")
    for _ in range(2):
        run("pick(df)")
        for cell in cells:
            run(cell)
        drafts = [buddy.preview(one, names=shell.user_ns)[0] for one in QUESTIONS]
        (stable,) = {made.stable for made in drafts}
        assert all(
            made.messages[-1].text.startswith(stable[-1].text) for made in drafts
        )
        run("%buddy plot df by city")
        run("df['new'] = 1")


def test_in_a_follow_up_without_a_command_a_new_error_comes_with_its_frame(
    asked: list[str],
) -> None:
    run("%buddy what is in df")
    run(FAILING)
    run("%buddy why")
    assert len(COLUMNS.findall(asked[-1])) == 1
    assert asked[-1].count("\nAttributeError: ") == 1


def test_an_earlier_failure_does_not_come_again_as_an_output(asked: list[str]) -> None:
    run("print('first line')\n1 / 0")
    run("%buddy /fix")
    assert "ZeroDivisionError" in asked[-1]
    run(FAILING)
    run("%buddy /fix")
    assert "AttributeError" in asked[-1]
    assert "ZeroDivisionError" not in asked[-1]
    run("df['amount'].mean()")
    run(FAILING.replace("nope", "amount"))
    run("%buddy and now")
    assert "ZeroDivisionError" not in asked[-1]
    assert "AttributeError" not in asked[-1]


def test_a_failure_that_was_not_told_as_the_last_is_told_once(asked: list[str]) -> None:
    run("1 / 0")
    run(FAILING)
    run("%buddy what failed")
    assert asked[-1].count("ZeroDivisionError: ") == 1
    assert asked[-1].count("\nAttributeError: ") == 1
    run("undefined")
    run("%buddy what failed now")
    assert "ZeroDivisionError" not in asked[-1]
    assert "AttributeError" not in asked[-1]
    assert asked[-1].count("\nNameError: ") == 1


def test_an_error_of_the_buddys_does_not_tell_the_last_one_again(
    asked: list[str], fake: FakeProvider
) -> None:
    run("def f(d):\n    return d['nope']")
    run("f(df)")
    run("%buddy /fix")
    assert "Variables of the failing function:\nd: " in asked[-1]
    run("%buddy -t hot why")
    run("%buddy why")
    assert asked[-1] == "why"


def test_after_a_question_that_failed_the_functions_variables_are_known(
    asked: list[str], fake: FakeProvider
) -> None:
    run("def f(d):\n    return d['nope']")
    run("f(df)")
    fake.replies.append([Unreachable("Down.")])
    run("%buddy /fix")
    run("%buddy /fix")
    assert "Variables of the failing function:\nd: " in asked[-1]
    run("n = 1 / 0")
    run("%buddy /fix")
    assert "Variables of the failing function" not in asked[-1]


def test_explain_is_about_the_cell_that_ran_last(asked: list[str]) -> None:
    run(FAILING)
    run("%buddy /explain")
    assert asked[-1].endswith(
        "Explain the error in In[2]: what it does, step by step, and why."
    )
    run("n = 3")
    run("%buddy /explain")
    assert "Explain the code of In[4]" in asked[-1]
    run("%buddy /fix")
    assert "what is wrong with the error in In[2]" in asked[-1]
    run("%time %buddy /explain")
    assert "Explain the code of In[4]" in asked[-1]
    run("n = 4\n%buddy /explain")
    assert "Explain the code of In[4]" in asked[-1]
    run("1 / 0")
    run("%buddy /explain")
    assert "Explain the error in In[" in asked[-1]
    assert "ZeroDivisionError" in asked[-1]


@pytest.mark.parametrize(
    "failing", ["1 +", "def f(:\n  1", "%time 1 / 0", "%%time\n1/0"]
)
def test_explain_after_any_kind_of_failure_is_about_it(
    asked: list[str], failing: str
) -> None:
    run(failing)
    run("%buddy /explain")
    assert "Explain the error in In[" in asked[-1]


def test_review_is_about_the_last_cell_even_if_it_failed(asked: list[str]) -> None:
    run(FAILING)
    run("%buddy /review")
    assert "Review the code of In[2]" in asked[-1]
