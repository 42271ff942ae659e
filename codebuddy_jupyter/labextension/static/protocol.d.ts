// Written by `python -m tests.docs protocol` from widgets/editor_protocol.py.

/** An error: as one line, and as what went wrong with its remedies. */
export interface Problem {
  line: string;
  what: string;
  remedies: RemedyFields[];
}

/** What the user can do about an error; `command` may be empty. */
export interface RemedyFields {
  text: string;
  command: string;
}

/** The error that a cell ended in. */
export interface ErrorFields {
  name: string;
  message: string;
}

/** The sidebar opened; the result is `PanelFields`. */
export interface PanelRequest {
  type: "panel";
  id: string;
}

/**
 * The user chose what to do about code; the result is `QuestionText`.
 *
 * `source` is the cell or the selection. `error` is the error that the cell ended
 * in when it ran as number `count`, if the task is about one.
 */
export interface TaskRequest {
  type: "task";
  id: string;
  task: "ask" | "fix" | "explain" | "refactor" | "document" | "test";
  source: string;
  error: ErrorFields | null;
  count: number | null;
}

/**
 * Complete the code of a cell; each part is `CompletionText`, and the result, too.
 *
 * `cursor` is a number of characters. `cell` is the id of the cell, empty if it has
 * none; `asked` tells whether the user asked by a key, and not by typing.
 */
export interface CompleteRequest {
  type: "complete";
  id: string;
  code: string;
  cursor: number;
  cell: string;
  asked: boolean;
}

/** The page does not need the answer to request `id` any more. */
export interface CancelRequest {
  type: "cancel";
  id: string;
}

/** The widget to show in the sidebar. */
export interface PanelFields {
  model: string;
}

/** What to ask in the panel, as if it was typed there. */
export interface QuestionText {
  text: string;
}

/** All of a suggestion so far; `off` tells that no model is set for completion. */
export interface CompletionText {
  text: string;
  off: boolean;
}

/** The next part of an answer. */
export interface PartMessage {
  type: "part";
  id: string;
  content: { [name: string]: any };
}

/** The result of a request, with which its answer ends. */
export interface DoneMessage {
  type: "done";
  id: string;
  content: { [name: string]: any };
}

/** A request failed, with which its answer ends. */
export interface FailedMessage {
  type: "failed";
  id: string;
  error: Problem;
}

export type EditorRequest =
  | PanelRequest
  | TaskRequest
  | CompleteRequest
  | CancelRequest;

export type EditorMessage =
  | PartMessage
  | DoneMessage
  | FailedMessage;
