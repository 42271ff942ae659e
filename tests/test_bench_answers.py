"""The questions whose answers are run: their solutions, the judge, and the record.

How many answers of a model are right is told by the benchmarks, not asserted here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from codebuddy_jupyter.tools.choice import ANSWER
from tests.bench.answers import lean, measure, report
from tests.bench.answers.code import code_in
from tests.bench.answers.forms import form_of, has_same_values, is_same
from tests.bench.answers.measure import (
    ALONE,
    ARMS,
    CELLS,
    CHECKED,
    LEAN,
    LOOKED,
    OURS,
    Answer,
    Asked,
    Choice,
    Judge,
    answers,
)
from tests.bench.answers.notebooks import NOTEBOOKS, find
from tests.bench.answers.printed import has_values
from tests.bench.answers.question import Notebook, Question
from tests.bench.answers.recorder import Exchange, Record, Recorder
from tests.bench.answers.verdict import LOOSE, RIGHT, WRONG, Verdict
from tests.support.notebook_kernel import played
from tests.support.scripted_server import (
    Answer as Scripted,
)
from tests.support.scripted_server import (
    ScriptedServer,
    delta,
    stream,
    usage,
)

ASKED = [
    (notebook, question) for notebook in NOTEBOOKS for question in notebook.questions
]
SALES = find("bakery", "revenue_by_branch")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """One child that runs the code of all answers."""
    with Judge(tmp_path_factory.mktemp("judge")) as judge:
        yield judge


@pytest.fixture
def only_judge(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has no other child started."""
    monkeypatch.setattr(measure, "Judge", lambda home: nullcontext(judge))


def fenced(code: str) -> str:
    return f"Here you are:\n\n```python\n{code}\n```\n"


def name_of(value: Notebook | Question) -> str:
    return value.name


@pytest.mark.parametrize(("notebook", "question"), ASKED, ids=name_of)
def test_a_question_takes_its_solutions_and_no_other_result(
    judge: Judge, notebook: Notebook, question: Question
) -> None:
    expected = dict.fromkeys([question.reference, *question.also], RIGHT)
    expected |= dict.fromkeys(question.loose, LOOSE)
    expected |= dict.fromkeys(question.wrong, WRONG)
    got = {
        code: judge.verdict(notebook, question, fenced(code)).verdict
        for code in expected
    }
    assert got == expected
    assert question.wrong


def test_there_are_enough_questions_of_each_kind() -> None:
    assert len(ASKED) >= 60
    assert len(NOTEBOOKS) >= 8
    for notebook in NOTEBOOKS:
        assert 8 <= len(notebook.cells) <= 15, notebook.name
        names = Counter(question.name for question in notebook.questions)
        assert set(names.values()) == {1}, notebook.name


def test_no_question_contains_its_solution() -> None:
    for _, question in ASKED:
        assert question.reference not in question.text


@pytest.mark.parametrize(
    ("code", "error"),
    [
        pytest.param('sales["Umsatz"]', "KeyError", id="an unknown column"),
        pytest.param("sale.head()", "NameError", id="an unknown name"),
        pytest.param("sales.heads()", "AttributeError", id="an unknown attribute"),
        pytest.param("sales.groupby(", "SyntaxError", id="code that was cut"),
        pytest.param("raise SystemExit(3)", "SystemExit", id="the end of the process"),
        pytest.param("input('which branch?')", "EOFError", id="a question back"),
        pytest.param("sales", "another result", id="another result"),
        pytest.param("", "no code", id="an empty block"),
        pytest.param(
            "import subprocess\nsubprocess.run(['true'])",
            "PermissionError",
            id="another program",
        ),
        pytest.param(
            "import socket\nsocket.create_connection(('192.0.2.1', 80), 1)",
            "PermissionError",
            id="another machine",
        ),
        pytest.param(
            "from pathlib import Path\nPath.home().joinpath('left').write_text('')",
            "PermissionError",
            id="a file elsewhere",
        ),
        pytest.param(
            "import shutil\nfrom pathlib import Path\nshutil.rmtree(Path.home())",
            "PermissionError",
            id="a folder elsewhere",
        ),
    ],
)
def test_a_wrong_answer_has_its_reason(judge: Judge, code: str, error: str) -> None:
    verdict = judge.verdict(*SALES, fenced(code))
    assert (verdict.verdict, verdict.error) == (WRONG, error)


def test_a_variable_of_another_name_is_no_unknown_name_of_the_answer(
    judge: Judge,
) -> None:
    asked = find("bakery", "rename_lower")
    verdict = judge.verdict(*asked, fenced("tidier = sales.rename(columns=str.lower)"))
    assert (verdict.verdict, verdict.error) == (WRONG, "NoResult")


def test_an_answer_finds_no_trace_of_the_one_before(judge: Judge) -> None:
    judge.verdict(*SALES, fenced("sales.drop(sales.index, inplace=True)\nsales"))
    right = judge.verdict(*SALES, fenced(SALES[1].reference))
    assert right == Verdict(RIGHT)


def test_code_without_an_end_takes_only_its_own_child(tmp_path: Path) -> None:
    right = fenced(SALES[1].reference)
    with Judge(tmp_path, seconds=1.0) as judge:
        assert judge.verdict(*SALES, right) == Verdict(RIGHT)
        hanging = judge.verdict(*SALES, fenced("while True:\n    pass"))
        assert hanging.error == "no end"
        ending = judge.verdict(*SALES, fenced("import os\nos._exit(0)"))
        assert ending.error == "no end"
        assert judge.verdict(*SALES, right) == Verdict(RIGHT)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param("Just do it.", "", id="words"),
        pytest.param("OK", "", id="one word"),
        pytest.param("sales.head()", "sales.head()", id="code alone"),
        pytest.param(
            "```python\nx = 1\n```\nthen\n```py\nx\n```", "x = 1\n\nx", id="two"
        ),
        pytest.param("```\nx\n```", "x", id="no language"),
        pytest.param("```python\nx\n```\n```\n3 rows\n```", "x", id="an output"),
        pytest.param("```bash\npip install x\n```", "", id="another language"),
        pytest.param("```python\nx = 1", "x = 1", id="cut"),
        pytest.param(
            "````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''", id="long"
        ),
        pytest.param("```python\n%matplotlib inline\n!ls\nx\n```", "x", id="magics"),
    ],
)
def test_the_code_of_an_answer(answer: str, code: str) -> None:
    assert code_in(answer) == code


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
BY_NAME = pd.Series([1.0, 2.0], index=pd.Index(["x", "y"], name="key"), name="n")


@pytest.mark.parametrize(
    ("got", "wanted", "same", "loosely"),
    [
        pytest.param(np.int64(3), 3.0, True, True, id="numbers"),
        pytest.param(1 / 3, 0.3333333333, True, True, id="nearly"),
        pytest.param(0.33, 1 / 3, False, False, id="rounded"),
        pytest.param(True, 1, False, False, id="a truth is no number"),
        pytest.param("3", 3, False, False, id="a text is no number"),
        pytest.param(None, None, False, False, id="nothing"),
        pytest.param((2, 1), np.array([1, 2]), True, True, id="sequences"),
        pytest.param([1], 1, False, True, id="one in a list"),
        pytest.param({"x": 1, "y": 2}, BY_NAME, False, True, id="dict and series"),
        pytest.param(BY_NAME.rename("m"), BY_NAME, True, True, id="another name"),
        pytest.param(BY_NAME.reset_index(), BY_NAME, False, True, id="as a frame"),
        pytest.param(BY_NAME + 1, BY_NAME, False, False, id="other values"),
        pytest.param(FRAME[["b", "a"]], FRAME, True, True, id="columns in any order"),
        pytest.param(FRAME[::-1], FRAME, True, True, id="rows in any order"),
        pytest.param(FRAME.rename(columns=str.upper), FRAME, False, True, id="columns"),
        pytest.param(FRAME.head(1), FRAME, False, False, id="too few rows"),
        pytest.param(
            pd.Timestamp("2026-01-02"),
            np.datetime64("2026-01-02"),
            True,
            True,
            id="days",
        ),
        pytest.param(pd.Timedelta(days=2), 2, False, True, id="a duration"),
        pytest.param(object(), object(), False, False, id="unknown objects"),
        pytest.param(
            {"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}, True, True, id="nested"
        ),
    ],
)
def test_results_are_compared(got: Any, wanted: Any, same: bool, loosely: bool) -> None:
    one, other = form_of(got), form_of(wanted)
    rules: dict[str, Any] = {"ordered": False, "any_names": False, "near": 1e-6}
    assert is_same(one, other, **rules) is same
    assert has_same_values(one, other, 1e-6) is loosely


def test_the_order_counts_where_it_is_asked_for() -> None:
    one, other = form_of([1, 2]), form_of([2, 1])
    assert not is_same(one, other, ordered=True, any_names=False, near=1e-6)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("mean: 12.35", True, id="rounded"),
        pytest.param("mean: 12.9", False, id="another number"),
        pytest.param(" ".join(["12.345", *"123456789"]), False, id="among many"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_value_is_found_in_what_was_printed(text: str, found: bool) -> None:
    assert has_values(text, form_of(12.345)) is found


def test_the_lean_prompt_stays_as_it_was_measured() -> None:
    names = {
        "pd": pd,
        "sales": pd.DataFrame(
            {"Unit price": [1.5], "day": pd.to_datetime(["2026-01-01"])}
        ),
        "targets": BY_NAME.to_frame("goal"),
        "total": BY_NAME,
        "rates": {"a": 1},
        "_": 3,
    }
    lines = lean.variable_lines(names)
    unit = pd.Timestamp("2026-01-01").unit
    assert lean.with_cells_and_variables("how many?", ["x = 1"], lines) == (
        "The cells of the notebook before this one:\n\n"
        "```python\nx = 1\n```\n\n"
        "Variables that exist now (use them; do not load files again):\n"
        "- sales: pandas.DataFrame 1 row x 2 columns; columns: "
        f"'Unit price' float64, 'day' datetime64[{unit}]\n"
        "- targets: pandas.DataFrame 2 rows x 1 column; index key str; "
        "columns: 'goal' float64\n"
        "- total: pandas.Series n float64, 2 rows; index key str\n"
        "- rates: dict of 1 key; keys: str; values: int\n\n"
        "how many?"
    )


def an_exchange(**more: Any) -> Exchange:
    told: dict[str, Any] = {
        "key": "k",
        "question": "q",
        "answer": "a",
        "finish": "stop",
        "prompt_tokens": 100,
        "tokens": 5,
        "seconds": 1.0,
    }
    return Exchange(**{**told, **more})


def test_a_record_survives_a_run_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "build" / "record.jsonl"
    record = Record(path)
    record.add(an_exchange(key="one"))
    record.add(an_exchange(key="two"))
    content = path.read_text(encoding="utf-8")
    path.write_text(content[:-9], encoding="utf-8")
    again = Record(path)
    assert again.find("one")
    assert again.find("two") is None
    again.add(an_exchange(key="three"))
    assert {key for key in ("one", "two", "three") if Record(path).find(key)} == {
        "one",
        "three",
    }


def says(text: str) -> Scripted:
    return stream(delta(text), delta(finish="stop"), usage(40, 9))


def test_what_was_answered_is_not_asked_again(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(says("Use `len`."))
    path = tmp_path / "record.jsonl"
    messages = [{"role": "user", "content": "how many?"}]
    asked = []
    for _ in range(2):
        with Recorder(server.url, "key", "model", Record(path)) as recorder:
            asked.append(recorder.ask(messages, 10))
            asked.append(recorder.ask(messages, 10))
    assert {exchange.answer for exchange in asked} == {"Use `len`."}
    assert {exchange.prompt_tokens for exchange in asked} == {40}
    assert len(server.asked()) == 1


def test_another_model_and_a_longer_answer_are_asked_anew(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(says("Use `len`."))
    record = Record(tmp_path / "record.jsonl")
    messages = [{"role": "user", "content": "how many?"}]
    for model, tokens in (("one", 10), ("another", 10), ("another", 20)):
        with Recorder(server.url, "key", model, record) as recorder:
            recorder.ask(messages, tokens)
    assert len(server.asked()) == 3


def test_an_answer_that_breaks_off_is_not_kept(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.script(stream(delta("Use"), done=False))
    record = Record(tmp_path / "record.jsonl")
    with (
        Recorder(server.url, "key", "model", record) as recorder,
        pytest.raises(OSError, match="broke off"),
    ):
        recorder.ask([{"role": "user", "content": "how many?"}], 10)
    assert len(record) == 0


def test_a_correction_without_code_leaves_the_first_answer() -> None:
    first, words = an_exchange(answer=fenced("x")), an_exchange(answer="Sorry.")
    second = an_exchange(answer=fenced("y"))
    assert Asked([first, words]).final == first
    assert Asked([first, second]).final == second
    assert Asked([words]).final == words


@pytest.mark.usefixtures("only_judge")
@pytest.mark.timeout(300)
def test_each_way_of_asking_is_judged(server: ScriptedServer, tmp_path: Path) -> None:
    url = played(8192).on(server)
    right = says(fenced(SALES[1].reference))
    look = {"look": "variable", "name": "sales", "part": "schema"}
    # The last arm chooses two times, then it answers.
    chosen = [says(json.dumps(look)), says(json.dumps({"look": ANSWER}))]
    server.script(*[right] * 4, *chosen, right)
    choice = Choice(notebooks=["bakery"], questions=1)
    record = Record(tmp_path / "record.jsonl")
    with Recorder(url, "key", "model", record) as recorder:
        judged = list(answers(choice, recorder, tmp_path))
    assert [answer.arm for answer in judged] == list(ARMS)
    assert {answer.verdict.verdict for answer in judged} == {RIGHT}
    assert {answer.prompt_tokens for answer in judged} == {40}
    prompts = [request["body"]["messages"][-1]["content"] for request in server.asked()]
    assert [SALES[1].text in prompt for prompt in prompts] == [True] * 7
    files = ["sales.csv" in prompt for prompt in prompts]
    assert files == [False, *[True] * 6]
    assert ["'Unit price' float64" in prompt for prompt in prompts[:3]] == [
        False,
        False,
        True,
    ]


@pytest.mark.usefixtures("only_judge")
@pytest.mark.timeout(300)
def test_an_answer_without_looks_is_the_one_that_was_given(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = played(8192).on(server)
    right, none = says(fenced(SALES[1].reference)), says(json.dumps({"look": ANSWER}))
    server.script(right, none, right)
    choice = Choice(arms=[CHECKED, LOOKED], notebooks=["bakery"], questions=1)
    record = Record(tmp_path / "record.jsonl")
    with Recorder(url, "key", "model", record) as recorder:
        before, after = answers(choice, recorder, tmp_path)
    assert len(server.asked()) == 2
    assert before.exchange == after.exchange
    assert (before.prompt_tokens, after.prompt_tokens) == (40, 40)
    assert after.seconds >= before.seconds
    assert (len(after.looked), after.repaired) == (0, False)


def arm(name: str, verdicts: str, tokens: int, found: str = "") -> list[Answer]:
    """Return answers of an arm: right, loosely right, wrong, or with a KeyError."""
    meaning = {
        "r": Verdict(RIGHT),
        "l": Verdict(LOOSE),
        "w": Verdict(WRONG, "another result"),
        "k": Verdict(WRONG, "KeyError"),
    }
    return [
        Answer(
            name,
            SALES[0],
            replace(SALES[1], name=str(number)),
            an_exchange(),
            tokens,
            meaning[letter],
            findings=["no such column"] if str(number) in found else [],
        )
        for number, letter in enumerate(verdicts)
    ]


def test_the_figures_of_the_arms() -> None:
    arms = report.arms_of(
        [
            *arm(ALONE, "rwwwww", 30),
            *arm(CELLS, "rrlwwk", 100),
            *arm(LEAN, "rrrlkk", 150),
            *arm(OURS, "rrrwkk", 140, found="4"),
            *arm(CHECKED, "rrrwrk", 140, found="4"),
        ]
    )
    told = report.overview(arms.values())
    assert "| 2 of 6 (33 %) | 3 | 100 | 1 | 0 | 0 | 2 another result |" in told
    assert [(row.buddy, row.met) for row in report.rows(arms)] == [
        ("4 of 6 (67 %), 4.0 times", True),
        ("4 of 6 (67 %), +33.3 points at 1.40 times", True),
        ("3 of 6 (50 %), +0.0 points at 140 tokens", True),
        ("1 of 2; 0 of 3, of which it doubts 0", True),
    ]


def test_what_looks_bring_is_compared_with_the_time_that_they_take() -> None:
    with_looks = arm(LOOKED, "rrrw", 10)
    with_looks = [replace(one, seconds=1.5) for one in with_looks]
    with_looks[0] = replace(with_looks[0], looked=["looked at sales: 3 columns"])
    without = [replace(one, seconds=1.0) for one in arm(CHECKED, "rrww", 10)]
    (row,) = report.rows(report.arms_of([*with_looks, *without]))
    told = "3 of 4 (75 %), +25.0 points at 1.5 times the time; looked for 1"
    assert (row.buddy, row.met) == (told, True)


def test_a_right_answer_that_a_repair_makes_wrong_misses_the_goal() -> None:
    arms = report.arms_of(
        [*arm(OURS, "rk", 10, found="01"), *arm(CHECKED, "wr", 10, found="01")]
    )
    (row,) = report.rows(arms)
    assert (row.buddy, row.met) == (
        "1 of 1; 1 of 1, of which it doubts 1",
        False,
    )
