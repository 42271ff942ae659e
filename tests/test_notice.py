"""A line that goes to those who show it."""

from __future__ import annotations

from codebuddy_jupyter.background.notice import Notice


def test_watchers_are_told_of_another_line_only() -> None:
    notice = Notice()
    seen: list[str] = []
    notice.watchers.append(lambda: seen.append(notice.line))
    for line in ("", "served", "served", ""):
        notice.say(line)
    assert seen == ["served", ""]


def test_a_watcher_may_leave_while_it_is_told() -> None:
    notice = Notice()
    seen: list[str] = []

    def leave() -> None:
        notice.watchers.remove(leave)

    notice.watchers += [leave, lambda: seen.append(notice.line)]
    notice.say("served")
    assert seen == ["served"]
