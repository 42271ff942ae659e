"""What this kernel has run: each cell's last run, told by the shell's hooks, and before
these by its history.

It is duck-typed on IPython 7.34 to 9. No object of the user's is looked at: only what
the shell has made text of.
"""

from __future__ import annotations

import re
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .items import Output
from .outputs import OUTPUTS, ends_of, failed, in_short, picture_in, printed, shown

# cells
KEPT = 5_000
# inputs of the history
EARLIER = 2_000

_CELL_MAGIC = re.compile(r"\s*%%buddy\b")
_OURS = re.compile(
    r"""\s*(?:
        (?:\w+\s*=\s*)?%buddy\b
        | %(?:re|un)?load_ext\s+codebuddy_jupyter\b
        | %config\s+(?:Buddy|\w*Provider)\b
    )""",
    re.VERBOSE,
)


def is_ours(source: str) -> bool:
    """Whether a cell only talks to the buddy: asks it, loads it, or sets it up."""
    if "%" not in source:
        return False
    if _CELL_MAGIC.match(source):
        return True
    lines = [
        line
        for line in source.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    return bool(lines) and all(map(_OURS.match, lines))


def is_our_error(error: BaseException) -> bool:
    """Whether the buddy itself raised it."""
    module = type(error).__module__
    return (
        isinstance(module, str)
        and module.partition(".")[0] == __name__.partition(".")[0]
    )


@dataclass(slots=True)
class Run:
    """The last run of a cell; ``started`` and ``ended`` are in seconds since the epoch.

    A run from before anybody listened has neither: 0 and None. ``stale`` outputs stood
    under its number before it: not every IPython forgets them when it is reset.
    """

    id: str | None
    source: str
    number: int | None
    state: Literal["run", "failed", "running"]
    started: float = 0.0
    ended: float | None = None
    error: Output | None = None
    displayed: list[tuple[str | None, Output]] = field(default_factory=list)
    more: int = 0
    stale: int = 0
    outputs: tuple[Output, ...] | None = None

    @property
    def key(self) -> str:
        """The cell's id; without one, its number stands for it."""
        return self.id if self.id is not None else f"In[{self.number}]"


class Runs:
    """The runs of one shell."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._last: OrderedDict[str, Run] = OrderedDict()
        self._open: list[Run] = []
        self._first: int | None = None
        self._newest = 0
        self._error_then = 0
        self._earlier: tuple[int, list[Run]] = 0, []
        self.picture: tuple[int, tuple[str, str | bytes]] | None = None

    @property
    def now(self) -> Run | None:
        """The cell that runs."""
        return self._open[-1] if self._open else None

    @property
    def latest(self) -> Run | None:
        """The cell that runs, else the one that ran last."""
        return self.now or next(reversed(self._last.values()), None)

    def before(self, info: Any) -> bool:
        """A cell begins.

        Whether the shell has been reset and counts from one again; then nothing has run
        so far.
        """
        if not getattr(info, "store_history", True) or not isinstance(
            getattr(info, "raw_cell", None), str
        ):
            return False
        self._error_then = id(getattr(sys, "last_value", None))
        number = len(self._inputs())
        is_reset = 0 < number < self._newest
        if is_reset:
            self._last.clear()
            self._open.clear()
            self._first, self.picture = number, None
        self._newest = number
        self._begin(info).stale = len(self._history("outputs").get(number) or ())
        return is_reset

    def _begin(self, info: Any) -> Run:
        id = getattr(info, "cell_id", None)
        if id is not None:
            # only what a cell runs by itself has no id
            self._open.clear()
        elif not self._open:
            id = self._parent_id()
        number = len(self._inputs())
        run = Run(
            id if isinstance(id, str) and id else None,
            info.raw_cell,
            number,
            "running",
            time.time(),
        )
        self._first = number if self._first is None else self._first
        self._open.append(run)
        return run

    def after(self, result: Any) -> tuple[Run, BaseException | None] | None:
        """A cell has ended: its run, and the error that it ended in.

        None for what is no cell of the user's.
        """
        info = getattr(result, "info", None)
        source = getattr(info, "raw_cell", None)
        if (
            not isinstance(source, str)
            or not source.strip()
            or not getattr(info, "store_history", True)
        ):
            return None
        seen = bool(self._open) and self._open[-1].source == source
        run = self._open[-1] if seen else self._begin(info)
        self._open.pop()
        count = getattr(result, "execution_count", None)
        run.number = count if isinstance(count, int) else len(self._inputs()) - 1
        error = self._error_of(result, seen)
        run.state, run.ended = "run" if error is None else "failed", time.time()
        self._last[run.key] = run
        self._last.move_to_end(run.key)
        while len(self._last) > KEPT:
            self._last.popitem(last=False)
        return run, error

    def _error_of(self, result: Any, seen: bool) -> BaseException | None:
        for place in ("error_before_exec", "error_in_exec"):
            error = getattr(result, place, None)
            if isinstance(error, BaseException):
                return error
        # %%time and its like show an error, and end well
        shown = getattr(sys, "last_value", None)
        return (
            shown
            if seen
            and isinstance(shown, BaseException)
            and id(shown) != self._error_then
            else None
        )

    def displayed(self, message: Any) -> Any:
        """A cell displays something: a hook of ipykernel's display publisher, which
        gets its message back.
        """
        run = self.now
        if run is not None and isinstance(message, dict) and not is_ours(run.source):
            content, header = message.get("content"), message.get("header")
            if (
                isinstance(content, dict)
                and isinstance(header, dict)
                and isinstance(content.get("data"), dict)
            ):
                self._remember(run, header.get("msg_type"), content, content["data"])
        return message

    def _remember(
        self, run: Run, kind: Any, content: Mapping[str, Any], data: Mapping[str, Any]
    ) -> None:
        transient, metadata = content.get("transient"), content.get("metadata")
        output = shown(data, result=False)
        if output is None or (isinstance(metadata, dict) and "codebuddy" in metadata):
            return
        if found := picture_in(data):
            self.picture = run.number or 0, found
        id = transient.get("display_id") if isinstance(transient, dict) else None
        at = (
            next(
                (at for at, (other, _) in enumerate(run.displayed) if other == id), None
            )
            if id
            else None
        )
        if at is not None:
            run.displayed[at] = id, output
        elif kind == "display_data":
            run.displayed.append((id, output))
            if len(run.displayed) > OUTPUTS:
                del run.displayed[OUTPUTS // 2]
                run.more += 1

    def recorded(self) -> list[Run]:
        """The last run of each cell since the hooks were set, in the order of these
        runs.
        """
        return [*self._last.values(), *self._open]

    def earlier(self) -> list[Run]:
        """What ran before the hooks were set, each source once, in the order of their
        last runs.
        """
        inputs = self._inputs()
        end = len(inputs) if self._first is None else min(self._first, len(inputs))
        if self._earlier[0] != end:
            last = {
                inputs[at].strip(): at
                for at in range(max(1, end - EARLIER), end)
                if isinstance(inputs[at], str)
            }
            errors = self._history("exceptions")
            runs = [
                Run(None, inputs[at], at, "failed" if at in errors else "run")
                for source, at in sorted(last.items(), key=lambda one: one[1])
                if source and not is_ours(source)
            ]
            self._earlier = end, runs
        return self._earlier[1]

    def input(self, number: int | None) -> str | None:
        """The source that was run under a number."""
        inputs = self._inputs()
        found = (
            inputs[number] if number is not None and 0 < number < len(inputs) else None
        )
        return found if isinstance(found, str) else None

    def ran_again(self, number: int | None) -> bool:
        """Whether the source of this number was run once more."""
        source = self.input(number)
        return (
            source is not None
            and source in self._inputs()[(number or 0) + 1 :][-EARLIER:]
        )

    def number_of(self, source: str) -> int | None:
        """The number under which a source was run last."""
        inputs = self._inputs()
        last = range(len(inputs) - 1, max(len(inputs) - EARLIER, 0), -1)
        return next(
            (
                at
                for at in last
                if isinstance(inputs[at], str) and inputs[at].strip() == source.strip()
            ),
            None,
        )

    def outputs_of(self, run: Run) -> tuple[Output, ...]:
        """What the shell itself knows of a run's outputs:

        IPython 9 all, before it the result and the error.
        """
        if run.outputs is not None:
            return run.outputs
        outputs = self._outputs_of(run)
        if run.state != "running":
            run.outputs = outputs
        return outputs

    def _outputs_of(self, run: Run) -> tuple[Output, ...]:
        """First what was printed, then what was displayed, then the result and the
        error: the order is not kept.
        """
        printing: list[Output | None] = []
        results: list[Output | None] = []
        displays = [output for _, output in run.displayed]
        bundles = self._history("outputs").get(run.number)
        bundles = bundles[run.stale :] if isinstance(bundles, list) else []
        kept = bundles[-4 * OUTPUTS :]
        for one in kept:
            kind, bundle = (
                getattr(one, "output_type", None),
                getattr(one, "bundle", None),
            )
            if not isinstance(bundle, dict):
                continue
            if isinstance(bundle.get("stream"), list):
                printing.append(printed(ends_of(bundle["stream"])))
            elif kind == "execute_result":
                results.append(shown(bundle, result=True))
            elif not run.displayed:
                # a terminal has no publisher that tells, and keeps them here instead
                displays += [output] if (output := shown(bundle, result=False)) else []
        text = self._history("output_hist_reprs").get(run.number)
        if not bundles and isinstance(text, str) and self._has_result(run.number):
            results.append(shown({"text/plain": text}, result=True))
        if run.state == "failed":
            results.append(run.error or self._error_in_history(run.number))
        more = run.more + len(bundles) - len(kept)
        return in_short(
            (one for one in (*printing, *displays, *results) if one is not None), more
        )

    def _has_result(self, number: int | None) -> bool:
        """Whether ``Out[number]`` is there: a reset takes these away, and leaves their
        texts.
        """
        space = getattr(self._shell, "user_ns", None)
        results = space.get("_oh") if isinstance(space, dict) else None
        return isinstance(results, dict) and number in results

    def _error_in_history(self, number: int | None) -> Output | None:
        error = self._history("exceptions").get(number)
        if not isinstance(error, dict):
            return None
        return failed(
            str(error.get("ename", "")),
            str(error.get("evalue", "")),
            error.get("traceback"),
        )

    def rendered_error(self, number: int | None) -> str | None:
        """The message of a run's error as the shell has rendered it, where it keeps
        that.
        """
        error = self._history("exceptions").get(number)
        text = error.get("evalue") if isinstance(error, dict) else None
        return text if isinstance(text, str) else None

    def last_picture(self) -> tuple[int, tuple[str, str | bytes]] | None:
        """The picture that was displayed last, with the number of its cell."""
        outputs = self._history("outputs")
        after = self.picture[0] if self.picture else 0
        for number in sorted(
            (one for one in list(outputs) if isinstance(one, int) and one > after),
            reverse=True,
        ):
            for output in reversed(outputs.get(number) or []):
                bundle = getattr(output, "bundle", None)
                if isinstance(bundle, dict) and (found := picture_in(bundle)):
                    return number, found
        return self.picture

    def _inputs(self) -> list[Any]:
        inputs = getattr(
            getattr(self._shell, "history_manager", None), "input_hist_raw", None
        )
        return inputs if isinstance(inputs, list) else []

    def _history(self, name: str) -> Mapping[Any, Any]:
        kept = getattr(getattr(self._shell, "history_manager", None), name, None)
        return kept if isinstance(kept, dict) else {}

    def _parent_id(self) -> str | None:
        """The id of the cell in the message that the kernel answers, where IPython is
        too old to hand it on.
        """
        get_parent = getattr(self._shell, "get_parent", None)
        parent = get_parent() if callable(get_parent) else None
        metadata = parent.get("metadata") if isinstance(parent, dict) else None
        id = metadata.get("cellId") if isinstance(metadata, dict) else None
        return id if isinstance(id, str) else None
