"""What this kernel has run: the last run of each cell.

The shell's hooks report the runs; those from before the hooks were registered are in
its history. It works with IPython 7.34 to 9, whose attributes are read with care, and
it reads only what the shell has made text of, never an object of the user's.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .buddy_cells import is_buddy_cell
from .items import Output, cell_name
from .outputs import (
    MAX_OUTPUTS,
    display_output,
    error_output,
    is_answer,
    joined_ends,
    shortened,
    text_output,
)
from .pictures import Picture, picture_in

# Cells whose last run is kept.
MAX_RUNS = 5_000
# Inputs of the history that are read.
MAX_HISTORY = 2_000


@dataclass(slots=True)
class Run:
    """The last run of a cell.

    ``started`` and ``ended`` are seconds since the epoch; a run from the history has 0
    and None. ``displays`` holds what it displayed, each with its display id; those
    beyond `MAX_OUTPUTS` are only counted, in ``displays_left_out``. ``stale_outputs``
    counts outputs that the shell held under its number before it began: some versions
    of IPython keep them over a reset. ``outputs`` is filled when they are first needed.
    """

    id: str | None
    source: str
    number: int | None
    state: Literal["run", "failed", "running"]
    started: float = 0.0
    ended: float | None = None
    error: Output | None = None
    displays: list[tuple[str | None, Output]] = field(default_factory=list)
    displays_left_out: int = 0
    stale_outputs: int = 0
    outputs: tuple[Output, ...] | None = None

    @property
    def key(self) -> str:
        """The cell's id, or if that is unknown, its name."""
        if self.id is not None:
            return self.id
        return cell_name(self.number)

    def add_display(self, display_id: str | None, output: Output) -> None:
        """Add an output that was displayed; of many, those in the middle are dropped."""
        self.displays.append((display_id, output))
        if len(self.displays) > MAX_OUTPUTS:
            del self.displays[MAX_OUTPUTS // 2]
            self.displays_left_out += 1

    def update_display(self, display_id: str | None, output: Output) -> bool:
        """Replace the output with this display id; return whether there is one."""
        if not display_id:
            return False
        for index, (other_id, _) in enumerate(self.displays):
            if other_id == display_id:
                self.displays[index] = display_id, output
                return True
        return False


class Runs:
    """The runs of one shell.

    Parameters
    ----------
    shell
        The IPython shell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        # The last run of each cell by `Run.key`, the latest last.
        self._last: OrderedDict[str, Run] = OrderedDict()
        # The runs that have not ended; a cell can run others.
        self._open: list[Run] = []
        # The number of the first run that the hooks reported.
        self._first: int | None = None
        self._newest = 0
        # The identity of the error that the shell had shown when the run began.
        self._error_before = 0
        # The runs from the history, with the number of the first that is not in them.
        self._earlier: tuple[int, list[Run]] = 0, []
        # The last picture that the hooks reported, and the number of its run.
        self._picture: Picture | None = None
        self._picture_number = 0

    @property
    def current(self) -> Run | None:
        """The run that has not ended."""
        if not self._open:
            return None
        return self._open[-1]

    @property
    def latest(self) -> Run | None:
        """The run that has not ended, else the one that ended last."""
        current = self.current
        if current is not None:
            return current
        latest_first = reversed(self._last.values())
        return next(latest_first, None)

    def on_start(self, info: Any) -> bool:
        """Record that a cell begins: a hook for ``pre_run_cell``.

        Returns
        -------
        bool
            Whether the shell was reset before it and counts from one again, so that
            nothing has run so far.
        """
        if not _is_recorded(info):
            return False
        self._error_before = id(getattr(sys, "last_value", None))
        number = len(self._inputs())
        was_reset = 0 < number < self._newest
        if was_reset:
            self._forget(number)
        self._newest = number
        run = self._begin(info)
        stale_outputs = self._history("outputs").get(number)
        run.stale_outputs = len(stale_outputs or ())
        return was_reset

    def _forget(self, number: int) -> None:
        self._last.clear()
        self._open.clear()
        self._first = number
        self._picture = None
        self._picture_number = 0

    def _begin(self, info: Any) -> Run:
        cell_id = getattr(info, "cell_id", None)
        if cell_id is not None:
            # Only what a cell runs itself has no id, so this is no part of another run.
            self._open.clear()
        elif not self._open:
            cell_id = self._parent_id()
        if not isinstance(cell_id, str) or not cell_id:
            cell_id = None
        number = len(self._inputs())
        run = Run(
            id=cell_id,
            source=info.raw_cell,
            number=number,
            state="running",
            started=time.time(),
        )
        if self._first is None:
            self._first = number
        self._open.append(run)
        return run

    def on_end(self, result: Any) -> tuple[Run, BaseException | None] | None:
        """Record that a cell has ended: a hook for ``post_run_cell``.

        Returns
        -------
        tuple or None
            The run and the error that it ended in; None for what is not a cell of the
            user's.
        """
        info: Any = getattr(result, "info", None)
        if not _is_recorded(info):
            return None
        if not info.raw_cell.strip():
            return None
        run = self.current
        was_seen = run is not None and run.source == info.raw_cell
        if run is None or not was_seen:
            run = self._begin(info)
        self._open.pop()
        error = self._error_of(result, was_seen)
        run.number = self._number_of_result(result)
        run.state = "run" if error is None else "failed"
        run.ended = time.time()
        self._keep(run)
        return run, error

    def _number_of_result(self, result: Any) -> int:
        count = getattr(result, "execution_count", None)
        if isinstance(count, int):
            return count
        return len(self._inputs()) - 1

    def _keep(self, run: Run) -> None:
        self._last[run.key] = run
        self._last.move_to_end(run.key)
        while len(self._last) > MAX_RUNS:
            self._last.popitem(last=False)

    def _error_of(self, result: Any, was_seen: bool) -> BaseException | None:
        for attribute in ("error_before_exec", "error_in_exec"):
            error = getattr(result, attribute, None)
            if isinstance(error, BaseException):
                return error
        if not was_seen:
            return None
        # Magics such as %%time show an error themselves and end without one.
        shown = getattr(sys, "last_value", None)
        if not isinstance(shown, BaseException):
            return None
        if id(shown) == self._error_before:
            return None
        return shown

    def on_display(self, message: Any) -> Any:
        """Record what a cell displays: a hook of ipykernel's display publisher.

        Returns
        -------
        Any
            The message, for the publisher to send.
        """
        run = self.current
        if run is None or is_buddy_cell(run.source):
            return message
        header = _dict_in(message, "header")
        content = _dict_in(message, "content")
        if isinstance(content.get("data"), dict):
            message_type = header.get("msg_type")
            self._record_display(run, message_type, content)
        return message

    def _record_display(
        self, run: Run, message_type: Any, content: Mapping[str, Any]
    ) -> None:
        data = content["data"]
        output = display_output(data, is_result=False)
        if output is None:
            return
        if is_answer(content.get("metadata")):
            return
        picture = picture_in(data)
        if picture is not None:
            self._picture = picture
            self._picture_number = run.number or 0
        transient = _dict_in(content, "transient")
        display_id = transient.get("display_id")
        is_updated = run.update_display(display_id, output)
        if not is_updated and message_type == "display_data":
            run.add_display(display_id, output)

    def recorded(self) -> list[Run]:
        """Return the last run of each cell that the hooks reported, the latest last."""
        return [*self._last.values(), *self._open]

    def known(self) -> list[Run]:
        """Return the runs from before the hooks were registered, then the others."""
        return [*self.earlier(), *self.recorded()]

    def earlier(self) -> list[Run]:
        """Return the runs from before the hooks were registered, the latest last.

        Each source is in it once.
        """
        inputs = self._inputs()
        end = len(inputs)
        if self._first is not None:
            end = min(self._first, end)
        cached_end, runs = self._earlier
        if cached_end != end:
            runs = self._read_history(inputs, end)
            self._earlier = end, runs
        return runs

    def _read_history(self, inputs: list[Any], end: int) -> list[Run]:
        last_numbers: dict[str, int] = {}
        first = max(1, end - MAX_HISTORY)
        sources = inputs[first:end]
        for number, source in enumerate(sources, first):
            if isinstance(source, str):
                last_numbers[source.strip()] = number
        errors = self._history("exceptions")
        runs = []
        for number in sorted(last_numbers.values()):
            source = inputs[number]
            if not source.strip() or is_buddy_cell(source):
                continue
            run = Run(None, source, number, "run")
            if number in errors:
                run.state = "failed"
            runs.append(run)
        return runs

    def source_of(self, number: int | None) -> str | None:
        """Return the source that was run under a number."""
        inputs = self._inputs()
        if number is None or not 0 < number < len(inputs):
            return None
        source = inputs[number]
        return source if isinstance(source, str) else None

    def ran_again(self, number: int | None) -> bool:
        """Return whether the source of this number was run once more."""
        source = self.source_of(number)
        if number is None or source is None:
            return False
        later = self._inputs()[number + 1 :]
        return source in later[-MAX_HISTORY:]

    def number_of(self, source: str) -> int | None:
        """Return the number under which a source was run last."""
        inputs = self._inputs()
        source = source.strip()
        latest = len(inputs) - 1
        oldest = max(len(inputs) - MAX_HISTORY, 0)
        for number in range(latest, oldest, -1):
            other = inputs[number]
            if isinstance(other, str) and other.strip() == source:
                return number
        return None

    def outputs_of(self, run: Run) -> tuple[Output, ...]:
        """Return what the shell knows of a run's outputs.

        IPython 9 keeps all, earlier versions only the result and the error.
        """
        if run.outputs is not None:
            return run.outputs
        outputs = self._outputs_of(run)
        if run.state != "running":
            run.outputs = outputs
        return outputs

    def _outputs_of(self, run: Run) -> tuple[Output, ...]:
        bundles = self._bundles_of(run)
        kept = bundles[-4 * MAX_OUTPUTS :]
        groups = _grouped(kept)
        displays: list[Output | None] = [output for _, output in run.displays]
        if not displays:
            # A terminal's publisher has no hooks; IPython keeps its displays instead.
            displays = [_display(bundle) for bundle in groups.displayed]
        results = groups.results
        if not bundles:
            results = [self._result_in_history(run.number)]
        if run.state == "failed":
            error = run.error or self._error_in_history(run.number)
            results.append(error)
        # The order is not known: what was printed usually comes first.
        outputs = [*groups.printed, *displays, *results]
        bundles_left_out = len(bundles) - len(kept)
        left_out = run.displays_left_out + bundles_left_out
        return shortened(filter(None, outputs), left_out)

    def _bundles_of(self, run: Run) -> list[Any]:
        """Return the outputs that the shell kept of this run, as it keeps them."""
        outputs = self._history("outputs")
        bundles = outputs.get(run.number)
        if not isinstance(bundles, list):
            return []
        return bundles[run.stale_outputs :]

    def _result_in_history(self, number: int | None) -> Output | None:
        texts = self._history("output_hist_reprs")
        text = texts.get(number)
        if not isinstance(text, str):
            return None
        # A reset takes the results away and leaves their texts.
        if not self._has_result(number):
            return None
        return display_output({"text/plain": text}, is_result=True)

    def _has_result(self, number: int | None) -> bool:
        """Return whether ``Out[number]`` exists."""
        namespace = getattr(self._shell, "user_ns", None)
        return number in _dict_in(namespace, "_oh")

    def _error_in_history(self, number: int | None) -> Output | None:
        errors = self._history("exceptions")
        error = _dict_in(errors, number)
        if not error:
            return None
        name = str(error.get("ename", ""))
        message = str(error.get("evalue", ""))
        traceback = error.get("traceback")
        return error_output(name, message, traceback)

    def rendered_message(self, number: int | None) -> str | None:
        """Return the message of a run's error as the shell rendered it, if it kept it."""
        errors = self._history("exceptions")
        text = _dict_in(errors, number).get("evalue")
        return text if isinstance(text, str) else None

    def last_picture(self) -> Picture | None:
        """Return the picture that was displayed last."""
        outputs = self._history("outputs")
        # The history may change while it is read: a cell may be running.
        keys = list(outputs)
        numbers = [key for key in keys if isinstance(key, int)]
        for number in sorted(numbers, reverse=True):
            if number <= self._picture_number:
                break
            kept = outputs.get(number) or []
            picture = _last_picture_in(kept)
            if picture is not None:
                return picture
        return self._picture

    def _inputs(self) -> list[Any]:
        manager = getattr(self._shell, "history_manager", None)
        inputs = getattr(manager, "input_hist_raw", None)
        return inputs if isinstance(inputs, list) else []

    def _history(self, name: str) -> Mapping[Any, Any]:
        manager = getattr(self._shell, "history_manager", None)
        kept = getattr(manager, name, None)
        return kept if isinstance(kept, dict) else {}

    def _parent_id(self) -> str | None:
        """Return the cell's id from the message that the kernel is answering.

        An old IPython does not pass it on to its hooks.
        """
        get_parent = getattr(self._shell, "get_parent", None)
        if not callable(get_parent):
            return None
        metadata = _dict_in(get_parent(), "metadata")
        cell_id = metadata.get("cellId")
        return cell_id if isinstance(cell_id, str) else None


def _dict_in(mapping: Any, key: Any) -> Mapping[Any, Any]:
    """Return the dictionary under a key; empty where there is none."""
    if not isinstance(mapping, dict):
        return {}
    value = mapping.get(key)
    if not isinstance(value, dict):
        return {}
    return value


def _last_picture_in(outputs: Sequence[Any]) -> Picture | None:
    for output in reversed(outputs):
        bundle = getattr(output, "bundle", None)
        if not isinstance(bundle, dict):
            continue
        picture = picture_in(bundle)
        if picture is not None:
            return picture
    return None


def _is_recorded(info: Any) -> bool:
    """Return whether a run is one of a cell, and not a silent one."""
    if not getattr(info, "store_history", True):
        return False
    return isinstance(getattr(info, "raw_cell", None), str)


@dataclass
class _Groups:
    """Outputs that the shell kept, by what they are; ``displayed`` are still raw."""

    printed: list[Output | None] = field(default_factory=list)
    displayed: list[Mapping[str, Any]] = field(default_factory=list)
    results: list[Output | None] = field(default_factory=list)


def _grouped(kept: Iterable[Any]) -> _Groups:
    groups = _Groups()
    for output in kept:
        bundle = getattr(output, "bundle", None)
        if not isinstance(bundle, dict):
            continue
        pieces = bundle.get("stream")
        if isinstance(pieces, list):
            printed = text_output(joined_ends(pieces))
            groups.printed.append(printed)
        elif getattr(output, "output_type", None) == "execute_result":
            result = display_output(bundle, is_result=True)
            groups.results.append(result)
        else:
            groups.displayed.append(bundle)
    return groups


def _display(bundle: Mapping[str, Any]) -> Output | None:
    return display_output(bundle, is_result=False)
