// Written by `python -m tests.docs protocol` from widgets/protocol.py.

/** What the user can do about an error; `command` may be empty. */
export interface RemedyFields {
  text: string;
  command: string;
}

/** An error: as one line, and as what went wrong with its remedies. */
export interface Problem {
  line: string;
  what: string;
  remedies: RemedyFields[];
}

/** A look at the kernel before an answer: what it was as a line, and what it told. */
export interface LookFields {
  line: string;
  text: string;
}

/**
 * Code that an answer proposes, as a card with buttons.
 *
 * `rows` is the difference to `old`, the text of the cell that it changes. `note`
 * is what became of it. `copies` are objects of which a copy can be made before it
 * runs, each with its size; `undo` tells whether its run can be undone, `goes_on`
 * whether another step may follow.
 */
export interface CardFields {
  id: string;
  digest: string;
  title: string;
  code: string;
  old: string | null;
  rows: ([string, string])[];
  cell: number | null;
  cell_id: string;
  state: string;
  note: string;
  copies: string[][];
  undo: boolean;
  goes_on: boolean;
}

/**
 * The blocks of an answer from number `from` on, its unfinished tail, and at its
 * end (`done`) how it ended.
 */
export interface AnswerFields {
  from: number;
  turn: number;
  blocks: string[];
  tail: string;
  thoughts?: string;
  looks?: LookFields[];
  cards?: CardFields[];
  done?: boolean;
  line?: string;
  error?: Problem | null;
  has_text?: boolean;
}

/**
 * A question of the conversation, or a command that was typed between them.
 *
 * `about` is the execution count of the cell that the question is about.
 */
export interface QuestionFields {
  turn: number;
  question: string;
  command?: boolean;
  about?: number | null;
}

/** A question, with its answer unless the page requests that when it is in view. */
export interface TurnFields {
  turn: number;
  question: string;
  command?: boolean;
  about?: number | null;
  from?: number;
  blocks?: string[];
  tail?: string;
  thoughts?: string;
  looks?: LookFields[];
  cards?: CardFields[];
  done?: boolean;
  line?: string;
  error?: Problem | null;
  has_text?: boolean;
}

/** A section of the notebook: whether it is sent, and its tokens in this question. */
export interface SectionFields {
  name: string;
  sent: boolean;
  tokens: number;
}

/** A conversation that is kept, and how many turns it has. */
export interface ChatFields {
  number: number;
  title: string;
  turns: number;
}

/** A completion, and what it is in a few words. */
export interface OfferFields {
  name: string;
  about: string;
}

/** A cell of the notebook in the page, saved or not, with its outputs shortened. */
export interface CellFields {
  id: string;
  cell_type: string;
  source: string;
  metadata: { [name: string]: any };
  outputs: ({ [name: string]: any })[];
  execution_count: number | null;
}

/** Whether there is a key, in words, and whether one is missing. */
export interface KeyFields {
  text: string;
  needed: boolean;
}

/** The result of one check of the connection. */
export interface CheckFields {
  mark: string;
  name: string;
  finding: string;
  remedies: RemedyFields[];
}

/** The result of a connection test. */
export interface ReportFields {
  verdict: string | Problem;
  rows: CheckFields[];
}

/** A page shows the conversation and has nothing yet; `view` names the page. */
export interface ReadyRequest {
  type: "ready";
  view: string;
}

/** A turn came into view, and the page has only its question. */
export interface WantRequest {
  type: "want";
  turn: number;
}

/**
 * The user sent a question or a command.
 *
 * `ask` identifies it until it has a number. `replaces` is the turn that it
 * replaces.
 * `cells` are the cells of the notebook in the page, if the page knows them.
 * `after` is the proposal that has run, whose result the model is told instead of a
 * question.
 */
export interface AskRequest {
  type: "ask";
  ask: string;
  text: string;
  replaces?: number | null;
  after?: string;
  cells?: CellFields[] | null;
}

/** Stop the answer, and the commands that are running. */
export interface StopRequest {
  type: "stop";
}

/** Begin a new conversation. */
export interface ResetRequest {
  type: "reset";
}

/** Continue another conversation. */
export interface SwitchRequest {
  type: "switch";
  number: number;
}

/** Delete a conversation for good. */
export interface DeleteRequest {
  type: "delete";
  number: number;
}

/** Name a conversation; an empty name takes its name away. */
export interface RenameRequest {
  type: "rename";
  number: number;
  name: string;
}

/** The user is searching for words in all conversations of the notebook. */
export interface SearchRequest {
  type: "search";
  text: string;
}

/** The user stopped typing `text`; `full` also requests all messages. */
export interface MeasureRequest {
  type: "measure";
  text: string;
  full: boolean;
  cells?: CellFields[] | null;
}

/** The user chose the sections of the notebook that are sent. */
export interface SectionsRequest {
  type: "sections";
  sections: string[];
}

/** The user is typing a word after `/` or `@`; `text` ends at the cursor. */
export interface CompleteRequest {
  type: "complete";
  text: string;
}

/** Code is to become a cell, and the page has no access to the notebook. */
export interface InsertRequest {
  type: "insert";
  code: string;
}

/** Compare the code of an answer with a cell. */
export interface DiffRequest {
  type: "diff";
  id: string;
  old: string;
  new: string;
}

/** The page `view` shows a card. */
export interface ShowedRequest {
  type: "showed";
  id: string;
  digest: string;
  view: string;
}

/**
 * The user decided about a card, by a click in the page `view`.
 *
 * `source` is the present text of the cell to change, if the page knows it.
 * `copies` are the objects of which the user wants a copy before it runs.
 */
export interface DecideRequest {
  type: "decide";
  id: string;
  digest: string;
  view: string;
  choice: "insert" | "edit" | "run" | "reject";
  source: string | null;
  copies: string[];
}

/** The page that is to act has found that the cell has changed: it did nothing. */
export interface OutdatedRequest {
  type: "outdated";
  id: string;
  view: string;
}

/** Undo the run of a proposal. */
export interface UndoRequest {
  type: "undo";
  id: string;
}

/** The kernel has received a question. */
export interface TakenMessage {
  type: "taken";
  ask: string;
}

/** A question to show, new or requested; `ask` if this page sent it. */
export interface TurnMessage {
  turn: number;
  question: string;
  command?: boolean;
  about?: number | null;
  from?: number;
  blocks?: string[];
  tail?: string;
  thoughts?: string;
  looks?: LookFields[];
  cards?: CardFields[];
  done?: boolean;
  line?: string;
  error?: Problem | null;
  has_text?: boolean;
  type: "turn";
  ask?: string;
}

/** The next part of an answer. */
export interface AnswerMessage {
  from: number;
  turn: number;
  blocks: string[];
  tail: string;
  thoughts?: string;
  looks?: LookFields[];
  cards?: CardFields[];
  done?: boolean;
  line?: string;
  error?: Problem | null;
  has_text?: boolean;
  type: "answer";
}

/**
 * The whole conversation, for the page named `view`, and the cell that ran last.
 *
 * `languages` has the languages whose code can become a cell, in lower case, each
 * with the cell magic that it needs: empty for Python.
 */
export interface AllMessage {
  type: "all";
  view: string;
  turns: TurnFields[];
  cell: string;
  languages: { [name: string]: string };
}

/** Turns that are no longer part of the conversation. */
export interface GoneMessage {
  type: "gone";
  turns: number[];
}

/** A question cannot be sent. */
export interface RefusedMessage {
  type: "refused";
  ask: string;
  error: Problem;
}

/** A line to show for a while: a plain one, or an error. */
export interface NotedMessage {
  type: "noted";
  text: string | Problem;
}

/** A cell starts to run. */
export interface CellMessage {
  type: "cell";
  cell: string;
}

/** What the page shows of the next question is out of date. */
export interface StaleMessage {
  type: "stale";
}

/** What can replace `word`, with which `text` ends, the likeliest first. */
export interface CompletionsMessage {
  type: "completions";
  text: string;
  word: string;
  offers: OfferFields[];
}

/** The conversations that are kept, and the number of the current one. */
export interface ChatsMessage {
  type: "chats";
  chats: ChatFields[];
  current: number | null;
}

/** The numbers of the conversations that contain `text`. */
export interface FoundMessage {
  type: "found";
  text: string;
  numbers: number[];
}

/**
 * How many tokens of the context window the next question takes.
 *
 * `parts` are sections with their tokens. `preview` has all messages as Markdown,
 * if the page requested them.
 */
export interface MeasuredMessage {
  type: "measured";
  tokens: number;
  window: number;
  assumed: boolean;
  parts: ([string, number])[];
  sections: SectionFields[];
  preview: string | null;
}

/** About how many tokens of the next prompt the model has read ahead; 0: none. */
export interface AheadMessage {
  type: "ahead";
  tokens: number;
}

/** Which agents read the notebook and what they asked last; empty: none can. */
export interface ServedMessage {
  type: "served";
  line: string;
}

/** The next question cannot be sent as it is. */
export interface UnmeasuredMessage {
  type: "unmeasured";
  error: Problem;
  sections: SectionFields[];
}

/** Lines, each with its mark: a blank, `+`, `-`, or `…` for lines left out. */
export interface DiffMessage {
  type: "diff";
  id: string;
  rows: ([string, string])[];
}

/** What became of a proposal. */
export interface CardMessage {
  id: string;
  digest: string;
  title: string;
  code: string;
  old: string | null;
  rows: ([string, string])[];
  cell: number | null;
  cell_id: string;
  state: string;
  note: string;
  copies: string[][];
  undo: boolean;
  goes_on: boolean;
  type: "card";
}

/** A decision counts: the page `view` does to the notebook what was chosen. */
export interface ActMessage {
  type: "act";
  id: string;
  view: string;
  choice: string;
}

/** A page shows the provider and has nothing yet. */
export interface ShownRequest {
  type: "ready";
}

/** The user typed a key; an empty one removes the key that is stored. */
export interface KeyRequest {
  type: "key";
  key: string;
}

/** The user chose a model of the provider's list. */
export interface UseRequest {
  type: "use";
  model: string;
}

/**
 * The state of the provider; `noted` and `trouble` are empty if there is
 * nothing to say.
 *
 * `name`, `model`, `models` and `brief` are for one line: the provider, its
 * model and those that it lists, and where requests go.
 */
export interface StateMessage {
  type?: "state";
  dot?: "loading" | "reachable" | "unreachable";
  title?: string;
  name?: string;
  model?: string;
  models?: string[];
  brief?: string;
  where?: string;
  trouble?: string | Problem;
  facts?: ([string, string])[];
  key?: KeyFields | null;
  noted?: string | Problem;
  overridden?: string[];
  report?: ReportFields | null;
}

export type ChatRequest =
  | ReadyRequest
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
  | UndoRequest;

export type ChatMessage =
  | TakenMessage
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
  | ActMessage;

export type ProviderRequest =
  | ShownRequest
  | KeyRequest
  | UseRequest;
