/** From the code of an answer to a changed cell: which cell, whether, and how. */

/** @import { Cell, Lab, NotebookPanel, SharedCell } from "./lab.js" */
/** @import { Choice } from "./hunk_list.js" */
/** @import { ChangeLists } from "./change_lists.js" */
/** @import { Meant } from "./editor.js" */

import { cellOf } from "./change_lists.js";
import { hunksOf } from "./difference.js";

const NO_CELL = "The notebook has no cell that this code could change. Insert it below instead.";
const NOT_CODE = "The selected cell has no code. This is the cell that is most like the answer.";
const READ_ONLY_NOTEBOOK = "The notebook is read-only, so its cells cannot be changed.";
const READ_ONLY_CELL = "The cell is read-only. Its metadata says that it is not editable.";
const SAME = "The cell already has this code.";
const GONE = "The cell is not there any more.";
const CHANGED = "The cell has changed meanwhile. These are the changes now.";
/** Characters of a cell's first line that tell it from others. */
const LONGEST_TITLE = 40;
/** A cell that asks codebuddy. */
const QUESTION = /^\s*%%?buddy\b/;

/**
 * @typedef {object} Answer The code of an answer.
 * @property {NotebookPanel} notebook
 * @property {readonly string[]} ranked The ids of cells that it could change, likeliest first.
 * @property {(cell: Cell) => string} textFor Returns the new text of a cell.
 */

/** Shows the changes of answers in cells. */
export class Applied {
  /** @param {Lab} lab @param {ChangeLists} lists */
  constructor(lab, lists) {
    this.lab = lab;
    this.lists = lists;
  }

  /**
   * Show what an answer changes in the cell that it means, or why there is none.
   * @param {Answer} answer
   * @param {Cell | null} meant
   */
  show(answer, meant) {
    const isCode = meant?.model.type === "code";
    const cell = isCode ? meant : candidates(answer)[0];
    if (!cell) return this.lab.notify(NO_CELL);
    this.showIn(cell, answer, meant && !isCode ? NOT_CODE : "");
  }

  /**
   * @param {Cell} cell
   * @param {Answer} answer
   * @param {string} [note] Is shown above the changes.
   */
  showIn(cell, answer, note = "") {
    const { sharedModel } = cell.model;
    const source = sharedModel.source;
    const hunks = hunksOf(source, answer.textFor(cell));
    const refusal = hunks.length ? refusalOf(answer.notebook, cell) : SAME;
    const onEnd = (/** @type {string | null} */ changed) => {
      if (changed === null) return;
      if (sharedModel.source !== source) return this.showIn(cell, answer, CHANGED);
      replaceText(sharedModel, changed);
      cell.editor?.focus();
    };
    const onCell = (/** @type {string} */ id) => this.moveTo(id, answer);
    const cells = choices(cell, answer);
    const notes = [note, refusal].filter(Boolean);
    const isRefused = Boolean(refusal);
    const changes = { source, hunks, notes, isRefused, cells, onEnd, onCell };
    this.lists.open(answer.notebook, cell, changes);
  }

  /** @param {string} id Of the cell that the user chose. @param {Answer} answer */
  moveTo(id, answer) {
    const cell = cellOf(answer.notebook, id);
    if (cell) this.showIn(cell, answer);
    else this.lab.notify(GONE);
  }
}

/**
 * @param {NotebookPanel} notebook
 * @param {{ question: string, meant: Meant | null, likely: string | null }} answer
 *   What was asked, the cell that this was about, and the source of the cell that the
 *   code is most like.
 * @returns {Cell | null} The cell that the code of an answer is to change.
 */
export function meantCell({ content }, { question, meant, likely }) {
  const find = (/** @type {(cell: Cell) => boolean} */ test) => content.widgets.find(test);
  const asked = meant && find(({ model }) => model.id === meant.cell);
  if (asked) return asked;
  const failed = /^\s*(%%?buddy\s+)?\/fix\b/.test(question) ? lastFailed(content.widgets) : null;
  if (failed) return failed;
  const isLikely = (/** @type {Cell} */ { model }) => model.sharedModel.source === likely;
  const { activeCell } = content;
  if (likely !== null) return activeCell && isLikely(activeCell) ? activeCell : find(isLikely) ?? null;
  return activeCell;
}

/** @param {readonly Cell[]} cells @returns {Cell | null} The one that ended in an error last. */
function lastFailed(cells) {
  let last = null;
  for (const cell of cells) {
    const { outputs, execution_count: count } = cell.model.sharedModel;
    if (!outputs?.some(output => output.output_type === "error")) continue;
    if (!last || (count ?? 0) > (last.model.sharedModel.execution_count ?? 0)) last = cell;
  }
  return last;
}

/**
 * @param {Answer} answer
 * @returns {Cell[]} The cells that its code could change, likeliest first.
 */
function candidates({ notebook, ranked }) {
  const cells = notebook.content.widgets.filter(({ model }) =>
    model.type === "code" && !QUESTION.test(model.sharedModel.source));
  const rank = (/** @type {Cell} */ { model }) => {
    const index = ranked.indexOf(model.id);
    return index < 0 ? ranked.length : index;
  };
  return cells.sort((one, other) => rank(one) - rank(other));
}

/**
 * @param {Cell} cell The one that is shown.
 * @param {Answer} answer
 * @returns {Choice[]}
 */
function choices(cell, answer) {
  const others = candidates(answer).filter(other => other !== cell);
  return [cell, ...others].map(({ model }) => ({ id: model.id, title: titleOf(model.sharedModel) }));
}

/** @param {SharedCell} cell */
function titleOf({ execution_count: count, source }) {
  const [line] = source.trim().split("\n");
  return `[${count ?? " "}] ${line.slice(0, LONGEST_TITLE)}`;
}

/**
 * @param {NotebookPanel} notebook
 * @param {Cell} cell
 * @returns {string} Why the cell cannot be changed; empty if it can.
 */
function refusalOf({ context }, cell) {
  if (context.model.readOnly || context.contentsModel?.writable === false) return READ_ONLY_NOTEBOOK;
  return cell.model.sharedModel.getMetadata("editable") === false ? READ_ONLY_CELL : "";
}

/**
 * Replace what differs, as one step that the editor can undo.
 * @param {SharedCell} cell
 * @param {string} text
 */
function replaceText(cell, text) {
  const { source, undoManager } = cell;
  const shorter = Math.min(source.length, text.length);
  let head = 0;
  while (head < shorter && source[head] === text[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && source.at(-1 - tail) === text.at(-1 - tail)) tail += 1;
  // Edits within half a second would become one step with it.
  undoManager?.stopCapturing();
  cell.transact(() =>
    cell.updateSource(head, source.length - tail, text.slice(head, text.length - tail)));
  undoManager?.stopCapturing();
}
