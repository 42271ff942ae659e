"""What is done with what was found in an answer's code: it is told, and at most one
further question asks for corrected code.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ..chat.conversation import CORRECTED
from ..chat.reply import Reply
from ..context.collector import Collector
from ..context.fit import Redact
from ..context.inspection.answer_check import answer_findings
from ..context.inspection.finding import Finding
from ..context.inspection.repair import repair_question
from ..context.items import Snapshot
from ..messages import Chunk, Message
from ..tools.missing import with_places
from ..tools.proposing import code_block
from .draft import Draft, as_sent
from .options import Options
from .tokens import Tokens

Findings = tuple[Finding, ...]


def is_checked(options: Options, snapshot: Snapshot) -> bool:
    """Return whether the answer to a question is about the notebook.

    One from Python that tells nothing of the notebook is not.
    """
    return options.remember or bool(snapshot.sections)


async def find(answer: str, collector: Collector, snapshot: Snapshot) -> Findings:
    """Return what in the code of an answer does not fit the kernel, and where it may be
    found instead; never raises.

    Parameters
    ----------
    answer
        The answer, as Markdown.
    collector
        Knows the kernel.
    snapshot
        What could be sent of the notebook: nothing else is looked up.
    """
    session = collector.session
    if session is None:
        return ()
    namespace = session.namespace().copy()
    try:
        found = await asyncio.to_thread(answer_findings, answer, namespace)
    except Exception:  # noqa: BLE001 - the answer counts more than what is said about it
        return ()
    try:
        return await asyncio.to_thread(with_places, found, collector, snapshot.sections)
    except Exception:  # noqa: BLE001 - what was found counts without it
        return found


async def find_proposed(
    reply: Reply, collector: Collector, snapshot: Snapshot
) -> list[str]:
    """Return lines about what in proposed code does not fit the kernel, as `find`."""
    lines = []
    for proposal in reply.proposed:
        for finding in await find(code_block(proposal), collector, snapshot):
            lines.append(f"in the proposed code: {finding.text}")
    return lines


@dataclass(frozen=True)
class Correction:
    """A request for corrected code.

    Parameters
    ----------
    draft
        The messages with the first answer and the question for corrected code.
    steps
        What comes before the corrected answer in the turn.
    """

    draft: Draft
    steps: tuple[Message, Message]


def try_correction(
    findings: Findings,
    reply: Reply,
    draft: Draft,
    snapshot: Snapshot,
    tokens: Tokens,
    redact: Redact,
) -> Correction | None:
    """Return the request for corrected code, if the model is to be asked for it.

    It is not where nothing would fail, where the names of variables are not to be sent,
    where the answer is not Markdown for a person to read, and where the request would
    not fit the context window.
    """
    question = repair_question(findings)
    may_tell = "variables" in snapshot.sections
    if not question or not may_tell or reply.format != "markdown":
        return None
    answer = Message("assistant", reply.text)
    # As they will be sent with later questions, so that a server finds them in its cache.
    sent_answer, asked = as_sent((answer, Message("user", question)), redact)
    messages = (*draft.messages, sent_answer, asked)
    size = tokens.total(messages)
    if size > draft.room.prompt:
        return None
    return Correction(replace(draft, messages=messages, tokens=size), (answer, asked))


def corrected(chunk: Chunk) -> Chunk:
    """Return a chunk of a corrected answer: the first answer stays text before it."""
    return replace(chunk, answer_begins=False)


HEADING = Chunk(text=CORRECTED)
