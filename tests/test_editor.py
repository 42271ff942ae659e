"""The comm of the JupyterLab extension: each request is answered once, under its id."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codebuddy_jupyter.buddy import Buddy
from codebuddy_jupyter.errors import Remedy, SettingError
from codebuddy_jupyter.question.prompts import interpolate
from codebuddy_jupyter.widgets.editor import (
    EditorCall,
    EditorComm,
    Handler,
    editor_handlers,
    question_for,
)
from tests.support.fakes import eventually
from tests.support.watched import NotebookSession

ASK = {"type": "panel", "id": "1"}
TASK = {
    "type": "task",
    "id": "2",
    "task": "explain",
    "source": "print(df)",
    "error": None,
    "count": None,
}


class FakeComm:
    """A comm without a kernel."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.closed = False
        self.take: Callable[[Mapping[str, Any]], None]
        self.leave: Callable[[Mapping[str, Any]], None]

    def on_msg(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        self.take = take

    def on_close(self, leave: Callable[[Mapping[str, Any]], None]) -> None:
        self.leave = leave

    def send(self, message: Mapping[str, Any]) -> None:
        assert not self.closed
        self.sent.append(message)

    def close(self) -> None:
        self.closed = True

    def page(self, content: object) -> None:
        """Send a message as the page does."""
        self.take({"content": {"data": content}})


@pytest.fixture
def comm() -> FakeComm:
    return FakeComm()


@pytest.fixture
def handlers() -> dict[str, Handler]:
    """The handlers of the page's comm; a test adds its own."""
    return {}


@pytest.fixture
def page(comm: FakeComm, handlers: dict[str, Handler]) -> Iterator[EditorComm]:
    page = EditorComm(comm, handlers)
    assert comm.sent == [{"type": "done", "id": "0", "content": {}}]
    comm.sent.clear()
    yield page
    page.close()


def failure(name: str, cell: int) -> Any:
    return SimpleNamespace(failure=lambda: SimpleNamespace(name=name, cell=cell))


@pytest.mark.usefixtures("page")
def test_parts_and_the_result_come_under_the_id_of_the_request(
    comm: FakeComm, handlers: dict[str, Handler]
) -> None:
    def answer(call: EditorCall) -> None:
        call.part({"text": "a"})
        call.part({"text": "b"})
        call.done({"model": "m"})
        call.part({"text": "too late"})
        call.failed(ValueError("too late"))

    handlers["panel"] = answer
    comm.page(ASK)
    assert eventually(lambda: len(comm.sent) == 3)
    assert comm.sent == [
        {"type": "part", "id": "1", "content": {"text": "a"}},
        {"type": "part", "id": "1", "content": {"text": "b"}},
        {"type": "done", "id": "1", "content": {"model": "m"}},
    ]


@pytest.mark.usefixtures("page")
def test_an_error_is_an_answer_with_its_remedies(
    comm: FakeComm, handlers: dict[str, Handler]
) -> None:
    def answer(call: EditorCall) -> None:
        raise SettingError("There is no model.", Remedy("List them", "%buddy /models"))

    handlers["panel"] = answer
    comm.page(ASK)
    assert eventually(lambda: comm.sent)
    (message,) = comm.sent
    assert (message["type"], message["id"]) == ("failed", "1")
    assert message["error"]["remedies"] == [
        {"text": "List them", "command": "%buddy /models"}
    ]


@pytest.mark.usefixtures("page")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_after_a_handler_that_broke_others_are_answered(
    comm: FakeComm, handlers: dict[str, Handler]
) -> None:
    def answer(call: EditorCall) -> None:
        if call.request["id"] == "1":
            raise ZeroDivisionError("no")
        call.done({})

    handlers["panel"] = answer
    comm.page(ASK)
    comm.page({**ASK, "id": "2"})
    assert eventually(lambda: len(comm.sent) == 2)
    assert comm.sent[0]["error"]["line"] == "ZeroDivisionError: no"
    assert comm.sent[1] == {"type": "done", "id": "2", "content": {}}


@pytest.mark.usefixtures("page")
def test_a_cancelled_request_stops_what_works_on_it_and_is_not_answered(
    comm: FakeComm, handlers: dict[str, Handler]
) -> None:
    calls: list[EditorCall] = []
    stopped = threading.Event()

    def answer(call: EditorCall) -> None:
        call.on_cancel(stopped.set)
        calls.append(call)

    handlers["panel"] = answer
    comm.page(ASK)
    assert eventually(lambda: calls)
    comm.page({"type": "cancel", "id": "1"})
    comm.page({"type": "cancel", "id": "1"})
    assert stopped.is_set()
    calls[0].part({})
    calls[0].done({})
    assert comm.sent == []


def test_who_comes_after_the_cancellation_is_stopped_at_once() -> None:
    stopped: list[str] = []
    call = EditorCall(ASK, lambda message: None)
    call.cancel()
    call.on_cancel(lambda: stopped.append("late"))
    assert stopped == ["late"]
    answered = EditorCall(ASK, lambda message: None)
    answered.done({})
    answered.on_cancel(lambda: stopped.append("never"))
    answered.cancel()
    assert stopped == ["late"]


def test_closing_stops_all_and_is_done_once(
    page: EditorComm, comm: FakeComm, handlers: dict[str, Handler]
) -> None:
    stopped = threading.Event()
    begun = threading.Event()

    def answer(call: EditorCall) -> None:
        call.on_cancel(stopped.set)
        begun.set()

    handlers["panel"] = answer
    comm.page(ASK)
    assert begun.wait(10)
    page.close()
    page.close()
    assert (stopped.is_set(), comm.closed, page.is_closed) == (True, True, True)
    comm.page(ASK)
    assert comm.sent == []


def test_a_page_that_leaves_stops_what_it_asked_for(
    page: EditorComm, comm: FakeComm, handlers: dict[str, Handler]
) -> None:
    stopped = threading.Event()
    begun = threading.Event()

    def answer(call: EditorCall) -> None:
        call.on_cancel(stopped.set)
        begun.set()

    handlers["panel"] = answer
    comm.page(ASK)
    assert begun.wait(10)
    comm.leave({})
    assert stopped.is_set()
    assert page.is_closed


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    "content", [None, "panel", {}, {"type": "unknown", "id": "1"}, []], ids=repr
)
def test_what_is_no_request_is_ignored(comm: FakeComm, content: object) -> None:
    comm.page(content)
    assert comm.sent == []


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    "content",
    [{"type": "panel"}, {"type": "panel", "id": 1}, {**TASK, "task": "rm"}],
    ids=["no id", "a number", "an unknown task"],
)
def test_a_request_with_wrong_fields_is_refused(
    comm: FakeComm, content: object
) -> None:
    comm.page(content)
    (message,) = comm.sent
    assert message["type"] == "failed"
    assert "Reload the page." in message["error"]["line"]


@pytest.mark.parametrize("task", ["explain", "refactor", "document", "test"])
def test_a_task_is_asked_with_the_code_below(buddy: Buddy, task: str) -> None:
    assert question_for(buddy, {**TASK, "task": task}) == f"/{task}\nprint(df)"


def test_a_free_question_has_the_code_below_the_cursor(buddy: Buddy) -> None:
    text = question_for(buddy, {**TASK, "task": "ask", "source": "\na = 1\n"})
    assert text == "\n\n```python\na = 1\n```"


@pytest.mark.parametrize(
    "code",
    ["f'{df}'", "f'{{df}}'", "{df.x[0]} {df['a']}", "{{df}", "{{{df}}}", "{ df }"],
)
def test_the_codes_braces_are_no_values(buddy: Buddy, code: str) -> None:
    text = question_for(buddy, {**TASK, "source": code})
    assert interpolate(text, {"df": "a secret"}) == f"/explain\n{code}"


def test_an_error_that_the_kernel_knows_is_asked_about_with_its_traceback(
    buddy: Buddy,
) -> None:
    buddy.collector.session = failure("KeyError", 4)
    error = {"name": "KeyError", "message": "'x'"}
    request = {**TASK, "task": "fix", "error": error, "count": 4}
    assert question_for(buddy, request) == "/fix"
    assert question_for(buddy, {**request, "task": "explain"}) == "Explain @error"


@pytest.mark.parametrize("count", [3, None])
def test_an_earlier_error_is_asked_about_with_its_code(
    buddy: Buddy, count: int | None
) -> None:
    buddy.collector.session = failure("KeyError", 4)
    error = {"name": "KeyError", "message": f"'x'\n{'y' * 500}"}
    request = {**TASK, "task": "fix", "error": error, "count": count}
    assert question_for(buddy, request) == "/fix It raised KeyError: 'x'\nprint(df)"


def test_without_a_session_an_error_is_asked_about_with_its_code(buddy: Buddy) -> None:
    error = {"name": "E", "message": "{df}" + "m" * 500}
    request = {**TASK, "task": "fix", "error": error, "count": 1}
    line = question_for(buddy, request).splitlines()[0]
    assert line.startswith("/fix It raised E: {{df}}mmm")
    assert len(line) < 400


def test_the_handlers_answer_each_type_of_request(buddy: Buddy, tmp_path: Path) -> None:
    buddy.collector.session = NotebookSession(tmp_path / "a.ipynb", {})
    sent: list[Any] = []
    handlers = editor_handlers(buddy, lambda: "model-1")
    for request in (ASK, TASK):
        handlers[str(request["type"])](EditorCall(request, sent.append))
    assert [message["content"] for message in sent] == [
        {"model": "model-1"},
        {"text": "/explain\nprint(df)"},
    ]
