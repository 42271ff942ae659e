"""The messages between the kernel and the page, as types, for Python and JavaScript.

``python -m tests.docs protocol`` writes ``static/protocol.d.ts`` from this module, which
imports no widget library. Every message has a ``type``; JSON carries the rest.
"""

from collections.abc import Iterable
from typing import Any, Literal, NotRequired, TypedDict

from ..errors import BuddyError, Remedy

# What messages consist of


class RemedyFields(TypedDict):
    """What the user can do about an error; ``command`` may be empty."""

    text: str
    command: str


class Problem(TypedDict):
    """An error: as one line, and as what went wrong with its remedies."""

    line: str
    what: str
    remedies: list[RemedyFields]


# ``from`` is a keyword of Python, so that this needs the other form of a TypedDict.
_From = TypedDict("_From", {"from": int})


class LookFields(TypedDict):
    """A look at the kernel before an answer: what it was as a line, and what it told."""

    line: str
    text: str


class CardFields(TypedDict):
    """Code that an answer proposes, as a card with buttons.

    ``rows`` is the difference to ``old``, the text of the cell that it changes. ``note``
    is what became of it. ``copies`` are objects of which a copy can be made before it
    runs, each with its size; ``undo`` tells whether its run can be undone, ``goes_on``
    whether another step may follow.
    """

    id: str
    digest: str
    title: str
    code: str
    old: str | None
    rows: list[tuple[str, str]]
    cell: int | None
    cell_id: str
    state: str
    note: str
    copies: list[list[str]]
    undo: bool
    goes_on: bool


class AnswerFields(_From):
    """The blocks of an answer from number ``from`` on, its unfinished tail, and at its
    end (``done``) how it ended.
    """

    turn: int
    blocks: list[str]
    tail: str
    thoughts: NotRequired[str]
    looks: NotRequired[list[LookFields]]
    cards: NotRequired[list[CardFields]]
    done: NotRequired[bool]
    line: NotRequired[str]
    error: NotRequired[Problem | None]
    has_text: NotRequired[bool]


class QuestionFields(TypedDict):
    """A question of the conversation, or a command that was typed between them.

    ``about`` is the execution count of the cell that the question is about.
    """

    turn: int
    question: str
    command: NotRequired[bool]
    about: NotRequired[int | None]


# The fields of `AnswerFields`, none of them required.
_AnswerIfAny = TypedDict(
    "_AnswerIfAny",
    {
        "from": int,
        "blocks": list[str],
        "tail": str,
        "thoughts": str,
        "looks": list[LookFields],
        "cards": list[CardFields],
        "done": bool,
        "line": str,
        "error": Problem | None,
        "has_text": bool,
    },
    total=False,
)


class TurnFields(QuestionFields, _AnswerIfAny):
    """A question, with its answer unless the page requests that when it is in view."""


class SectionFields(TypedDict):
    """A section of the notebook: whether it is sent, and its tokens in this question."""

    name: str
    sent: bool
    tokens: int


class ChatFields(TypedDict):
    """A conversation that is kept, and how many turns it has."""

    number: int
    title: str
    turns: int


class OfferFields(TypedDict):
    """A completion, and what it is in a few words."""

    name: str
    about: str


class CellFields(TypedDict):
    """A cell of the notebook in the page, saved or not, with its outputs shortened."""

    id: str
    cell_type: str
    source: str
    metadata: dict[str, Any]
    outputs: list[dict[str, Any]]
    execution_count: int | None


class KeyFields(TypedDict):
    """Whether there is a key, in words, and whether one is missing."""

    text: str
    needed: bool


class CheckFields(TypedDict):
    """The result of one check of the connection."""

    mark: str
    name: str
    finding: str
    remedies: list[RemedyFields]


class ReportFields(TypedDict):
    """The result of a connection test."""

    verdict: str | Problem
    rows: list[CheckFields]


# From the page of the conversation to the kernel


class ReadyRequest(TypedDict):
    """A page shows the conversation and has nothing yet; ``view`` names the page."""

    type: Literal["ready"]
    view: str


class WantRequest(TypedDict):
    """A turn came into view, and the page has only its question."""

    type: Literal["want"]
    turn: int


class AskRequest(TypedDict):
    """The user sent a question or a command.

    ``ask`` identifies it until it has a number. ``replaces`` is the turn that it
    replaces.
    ``cells`` are the cells of the notebook in the page, if the page knows them.
    ``after`` is the proposal that has run, whose result the model is told instead of a
    question.
    """

    type: Literal["ask"]
    ask: str
    text: str
    replaces: NotRequired[int | None]
    after: NotRequired[str]
    cells: NotRequired[list[CellFields] | None]


class StopRequest(TypedDict):
    """Stop the answer, and the commands that are running."""

    type: Literal["stop"]


class ResetRequest(TypedDict):
    """Begin a new conversation."""

    type: Literal["reset"]


class SwitchRequest(TypedDict):
    """Continue another conversation."""

    type: Literal["switch"]
    number: int


class DeleteRequest(TypedDict):
    """Delete a conversation for good."""

    type: Literal["delete"]
    number: int


class RenameRequest(TypedDict):
    """Name a conversation; an empty name takes its name away."""

    type: Literal["rename"]
    number: int
    name: str


class SearchRequest(TypedDict):
    """The user is searching for words in all conversations of the notebook."""

    type: Literal["search"]
    text: str


class MeasureRequest(TypedDict):
    """The user stopped typing ``text``; ``full`` also requests all messages."""

    type: Literal["measure"]
    text: str
    full: bool
    cells: NotRequired[list[CellFields] | None]


class SectionsRequest(TypedDict):
    """The user chose the sections of the notebook that are sent."""

    type: Literal["sections"]
    sections: list[str]


class CompleteRequest(TypedDict):
    """The user is typing a word after ``/`` or ``@``; ``text`` ends at the cursor."""

    type: Literal["complete"]
    text: str


class InsertRequest(TypedDict):
    """Code is to become a cell, and the page has no access to the notebook."""

    type: Literal["insert"]
    code: str


class DiffRequest(TypedDict):
    """Compare the code of an answer with a cell."""

    type: Literal["diff"]
    id: str
    old: str
    new: str


class ShowedRequest(TypedDict):
    """The page ``view`` shows a card."""

    type: Literal["showed"]
    id: str
    digest: str
    view: str


class DecideRequest(TypedDict):
    """The user decided about a card, by a click in the page ``view``.

    ``source`` is the present text of the cell to change, if the page knows it.
    ``copies`` are the objects of which the user wants a copy before it runs.
    """

    type: Literal["decide"]
    id: str
    digest: str
    view: str
    choice: Literal["insert", "edit", "run", "reject"]
    source: str | None
    copies: list[str]


class OutdatedRequest(TypedDict):
    """The page that is to act has found that the cell has changed: it did nothing."""

    type: Literal["outdated"]
    id: str
    view: str


class UndoRequest(TypedDict):
    """Undo the run of a proposal."""

    type: Literal["undo"]
    id: str


# From the kernel to the page of the conversation


class TakenMessage(TypedDict):
    """The kernel has received a question."""

    type: Literal["taken"]
    ask: str


class TurnMessage(TurnFields):
    """A question to show, new or requested; ``ask`` if this page sent it."""

    type: Literal["turn"]
    ask: NotRequired[str]


class AnswerMessage(AnswerFields):
    """The next part of an answer."""

    type: Literal["answer"]


class AllMessage(TypedDict):
    """The whole conversation, for the page named ``view``, and the cell that ran last.

    ``languages`` has the languages whose code can become a cell, in lower case, each
    with the cell magic that it needs: empty for Python.
    """

    type: Literal["all"]
    view: str
    turns: list[TurnFields]
    cell: str
    languages: dict[str, str]


class GoneMessage(TypedDict):
    """Turns that are no longer part of the conversation."""

    type: Literal["gone"]
    turns: list[int]


class RefusedMessage(TypedDict):
    """A question cannot be sent."""

    type: Literal["refused"]
    ask: str
    error: Problem


class NotedMessage(TypedDict):
    """A line to show for a while: a plain one, or an error."""

    type: Literal["noted"]
    text: str | Problem


class CellMessage(TypedDict):
    """A cell starts to run."""

    type: Literal["cell"]
    cell: str


class StaleMessage(TypedDict):
    """What the page shows of the next question is out of date."""

    type: Literal["stale"]


class CompletionsMessage(TypedDict):
    """What can replace ``word``, with which ``text`` ends, the likeliest first."""

    type: Literal["completions"]
    text: str
    word: str
    offers: list[OfferFields]


class ChatsMessage(TypedDict):
    """The conversations that are kept, and the number of the current one."""

    type: Literal["chats"]
    chats: list[ChatFields]
    current: int | None


class FoundMessage(TypedDict):
    """The numbers of the conversations that contain ``text``."""

    type: Literal["found"]
    text: str
    numbers: list[int]


class MeasuredMessage(TypedDict):
    """How many tokens of the context window the next question takes.

    ``parts`` are sections with their tokens. ``preview`` has all messages as Markdown,
    if the page requested them.
    """

    type: Literal["measured"]
    tokens: int
    window: int
    assumed: bool
    parts: list[tuple[str, int]]
    sections: list[SectionFields]
    preview: str | None


class AheadMessage(TypedDict):
    """About how many tokens of the next prompt the model has read ahead; 0: none."""

    type: Literal["ahead"]
    tokens: int


class ServedMessage(TypedDict):
    """Which agents read the notebook and what they asked last; empty: none can."""

    type: Literal["served"]
    line: str


class UnmeasuredMessage(TypedDict):
    """The next question cannot be sent as it is."""

    type: Literal["unmeasured"]
    error: Problem
    sections: list[SectionFields]


class DiffMessage(TypedDict):
    """Lines, each with its mark: a blank, ``+``, ``-``, or ``…`` for lines left out."""

    type: Literal["diff"]
    id: str
    rows: list[tuple[str, str]]


class CardMessage(CardFields):
    """What became of a proposal."""

    type: Literal["card"]


class ActMessage(TypedDict):
    """A decision counts: the page ``view`` does to the notebook what was chosen."""

    type: Literal["act"]
    id: str
    view: str
    choice: str


# Between the kernel and the pages of the provider


class ShownRequest(TypedDict):
    """A page shows the provider and has nothing yet."""

    type: Literal["ready"]


class KeyRequest(TypedDict):
    """The user typed a key; an empty one removes the key that is stored."""

    type: Literal["key"]
    key: str


class UseRequest(TypedDict):
    """The user chose a model of the provider's list."""

    type: Literal["use"]
    model: str


class StateMessage(TypedDict, total=False):
    """The state of the provider; ``noted`` and ``trouble`` are empty if there is
    nothing to say.

    ``name``, ``model``, ``models`` and ``brief`` are for one line: the provider, its
    model and those that it lists, and where requests go.
    """

    type: Literal["state"]
    dot: Literal["loading", "reachable", "unreachable"]
    title: str
    name: str
    model: str
    models: list[str]
    brief: str
    where: str
    trouble: str | Problem
    facts: list[tuple[str, str]]
    key: KeyFields | None
    noted: str | Problem
    overridden: list[str]
    report: ReportFields | None


ChatRequest = (
    ReadyRequest
    | WantRequest
    | AskRequest
    | StopRequest
    | ResetRequest
    | SwitchRequest
    | DeleteRequest
    | RenameRequest
    | SearchRequest
    | MeasureRequest
    | SectionsRequest
    | CompleteRequest
    | InsertRequest
    | DiffRequest
    | ShowedRequest
    | DecideRequest
    | OutdatedRequest
    | UndoRequest
)
"""From the page of the conversation to the kernel."""

ChatMessage = (
    TakenMessage
    | TurnMessage
    | AnswerMessage
    | AllMessage
    | GoneMessage
    | RefusedMessage
    | NotedMessage
    | ServedMessage
    | CellMessage
    | StaleMessage
    | CompletionsMessage
    | ChatsMessage
    | FoundMessage
    | MeasuredMessage
    | UnmeasuredMessage
    | AheadMessage
    | DiffMessage
    | CardMessage
    | ActMessage
)
"""From the kernel to the page of the conversation."""

ProviderRequest = ShownRequest | KeyRequest | UseRequest
"""From the pages of the provider to the kernel."""


def problem_of(error: BaseException) -> Problem:
    """Return an error as the page shows it."""
    if not isinstance(error, BuddyError):
        line = f"{type(error).__name__}: {error}"
        return {"line": line, "what": line, "remedies": []}
    remedies = remedy_fields(error.remedies)
    return {"line": str(error), "what": error.what, "remedies": remedies}


def remedy_fields(remedies: Iterable[Remedy]) -> list[RemedyFields]:
    """Return remedies as the page shows them."""
    fields: list[RemedyFields] = []
    for remedy in remedies:
        fields.append({"text": remedy.text, "command": remedy.command})
    return fields
