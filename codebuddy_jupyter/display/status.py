"""The lines around an answer: what the screen waits for, and how the answer came.

They are plain text or Markdown; everything that a server or model wrote is escaped.
"""

from __future__ import annotations

from ..chat.answer_file import day_of
from ..chat.reply import Reply
from ..markdown.safe import escape
from ..messages import REPETITION

# What stands in a terminal, where what was written cannot be taken back.
THOUGHTS_ABOVE = "(The text above was the model's reasoning. The answer:)"
# seconds without text before a line says what is waited for
SILENT = 1.0
# seconds without a token after which a line says so
STALLED = 10.0
# characters of the reasoning that are shown while it comes
SHOWN_REASONING = 200
# tokens per second from which on they are shown without decimals
FAST = 10
# what servers say of an answer that a filter has cut
FILTERS = (
    "filter",
    "safety",
    "sensitive",
    "refus",
    "prohibited",
    "blocklist",
    "blocked",
    "moderation",
    "guardrail",
    "recitation",
    "spii",
    "policy",
)
# what they say of one that ended with a tool call
TOOL_CALLS = ("tool_calls", "tool_call", "tool_use", "function_call")


def waiting_markdown(reply: Reply, now: float) -> str:
    """Return what to show while an answer has no text; empty in the first second.

    This is what is waited for, below the notes of the reply; or for how long the model
    has been thinking, above the last words of its reasoning. What was looked up stands
    above it.

    Parameters
    ----------
    reply
        The reply.
    now
        Seconds of ``time.monotonic()``.
    """
    looked = [f"*{escape(look.line)}*" for look in reply.looked]
    return "\n\n".join(filter(None, [*looked, _waiting(reply, now)]))


def _waiting(reply: Reply, now: float) -> str:
    if reply.first is not None:
        line = f"*{stalled_line(reply, now) or _thinking(reply, now)}*"
        last_words = reply.reasoning[-SHOWN_REASONING:].split()
        if not last_words:
            return line
        quoted = escape(" ".join(last_words))
        return f"{line}\n\n> … {quoted}"
    if not _is_silent(reply, now):
        return ""
    line = (
        f"*{escape(_awaited(reply, now))}… {_seconds_since(reply.started, now):.0f} s*"
    )
    notes = [escape(note) for note in reply.notes]
    return "\n\n".join([*notes, line])


def waiting_line(reply: Reply, now: float) -> str:
    """Return the same as one line of plain text, without the reasoning."""
    if reply.first is not None:
        return stalled_line(reply, now) or _thinking(reply, now)
    if not _is_silent(reply, now):
        return ""
    line = f"{_awaited(reply, now)}… {_seconds_since(reply.started, now):.0f} s"
    return " ".join([*reply.notes, line])


def stalled_line(reply: Reply, now: float) -> str:
    """Return how long nothing has come of an answer that has begun; empty in the first
    ten seconds, and when it has ended.
    """
    if reply.last is None or reply.done:
        return ""
    seconds = now - reply.last
    if seconds < STALLED:
        return ""
    return f"nothing for {seconds:.0f} s; interrupt to stop"


def status_line(reply: Reply, *, looks: bool = True) -> str:
    """Return the line under an answer.

    It has the model, the tokens, the seconds to the first token, the tokens per second,
    and why the answer is incomplete; then the notes of the reply. One that is replayed
    has the day on which it was given instead of times. What was looked up, unless it is
    shown elsewhere, and what was found in the answer's code stand above it, each on a
    line of its own.
    """
    parts = [reply.model or reply.provider]
    if reply.replayed is not None:
        parts.insert(0, f"replayed, from {day_of(reply.replayed)}")
        parts = [", ".join(filter(None, parts))]
    tokens = reply.usage.completion_tokens
    if tokens:
        parts.append(f"{tokens:,} tokens")
    if reply.replayed is None:
        parts += _pace(reply)
    incomplete = _incomplete(reply)
    if incomplete:
        parts.append(incomplete)
    line = " · ".join([*parts, *reply.notes])
    lines = [*reply.findings, line]
    if looks:
        lines = [*(look.line for look in reply.looked), *lines]
    return "\n".join(lines)


def _pace(reply: Reply) -> list[str]:
    """Return when the first token came, and how fast the others, as far as known."""
    parts = []
    first = reply.seconds_to_first
    if first is not None:
        parts.append(f"first after {first:.1f} s")
    speed = reply.tokens_per_second
    if speed:
        decimals = 1
        if speed >= FAST:
            decimals = 0
        parts.append(f"{speed:.{decimals}f} tokens/s")
    return parts


def no_text_line(reply: Reply) -> str:
    """Return what to show for an answer that ended well and has no text."""
    if not reply.tool_calls:
        return "The model gave no text."
    names = ", ".join(call.name for call in reply.tool_calls)
    return f"The model gave no text, but called for tools: {names}."


def _thinking(reply: Reply, now: float) -> str:
    doing = reply.activity or "thinking"
    return f"{doing}… {_seconds_since(reply.first, now):.0f} s"


def _is_silent(reply: Reply, now: float) -> bool:
    """Return whether there is a reason to show what is waited for."""
    if reply.notes:
        return True
    return _seconds_since(reply.started, now) >= SILENT


def _awaited(reply: Reply, now: float) -> str:
    """Return what is waited for."""
    model = reply.model or "the server"
    reading = reply.reading
    if reading is not None and not reply.loading:
        return (
            f"waiting for {model}, reading {reading.done:,} of {reading.total:,} tokens"
        )
    if reply.loading:
        return "waiting for the model to load"
    tokens = reply.sent_tokens
    if reply.loading is None or not tokens:
        return f"waiting for {model}"
    done = _expected(reply, tokens, now)
    if done is not None:
        share = f"about {_rounded(done):,} of about {_rounded(tokens):,} tokens"
        return f"waiting for {model}, reading {share}"
    return f"waiting for {model}, which reads the prompt of about {_rounded(tokens):,} tokens"


def _expected(reply: Reply, tokens: int, now: float) -> int | None:
    """Return how many tokens are likely to be read by now; None if the speed is not
    known.
    """
    expected = reply.expected_reading
    if expected is None:
        return None
    read = int((now - expected.since) * expected.speed)
    cached = max(tokens - expected.unread, 0)
    return min(cached + read, tokens)


def _rounded(tokens: int) -> int:
    """Return an estimate with two digits."""
    return round(tokens, 2 - len(str(tokens)))


def _seconds_since(moment: float | None, now: float) -> float:
    """Return the seconds since a moment; 0 if it has not come."""
    if moment is None:
        return 0.0
    return now - moment


def _incomplete(reply: Reply) -> str:
    """Return why an answer is incomplete; "" if it is complete."""
    if isinstance(reply.error, KeyboardInterrupt):
        return "stopped before its end"
    if reply.error is not None:
        return "broke off"
    return _ending(reply)


def _ending(reply: Reply) -> str:
    """Return how an answer ended that did not simply end."""
    finish = reply.finish or "stop"
    if finish == "stop":
        return ""
    if finish == "length":
        return "cut at its length limit"
    if finish == REPETITION:
        return "stopped, since the answer repeated itself"
    if any(word in finish for word in FILTERS):
        return "cut by the server's content filter"
    if finish in TOOL_CALLS:
        if not reply.text.strip():
            # The line in place of the text says so.
            return ""
        names = ", ".join(call.name for call in reply.tool_calls)
        return f"ended with a tool call{names and ': '}{names}"
    return f'ended early: the server says "{finish}"'


def progress_share(done: int, total: int) -> str:
    """Return how much of a download is done, such as ``45 % of 1,200.0 MB``.

    Parameters
    ----------
    done
        Bytes so far.
    total
        Bytes in all, at least 1.
    """
    return f"{100 * done // total} % of {total / 1e6:,.1f} MB"
