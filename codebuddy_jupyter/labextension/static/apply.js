/** From the code of an answer to a changed cell: which cell, whether, and how. */

/** @import { Cell, Lab, NotebookPanel, SharedCell } from "./lab.js" */
/** @import { Meant } from "./editor.js" */

import { hunksOf } from "./difference.js";
import { HunkList } from "./hunk_list.js";

const NO_CELL = "The notebook has no cell that this code could change. Insert it below instead.";
const NOT_CODE = "The selected cell is no cell of code. Select the cell to change.";
const READ_ONLY_NOTEBOOK = "The notebook is read-only, so its cells cannot be changed.";
const READ_ONLY_CELL = "The cell is read-only. Its metadata says that it is not editable.";
const SAME = "The cell already has this code.";
const CHANGED = "The cell has changed meanwhile. These are the changes now.";

/** Shows changes in cells, at most one list of changes for each. */
export class Applied {
  /** @type {Map<SharedCell, HunkList>} */
  lists = new Map();

  /** @param {Lab} lab */
  constructor(lab) {
    this.lab = lab;
  }

  /**
   * Show what a new text changes in a cell, or why it cannot be applied.
   * @param {NotebookPanel} notebook
   * @param {Cell | null} cell
   * @param {string} text
   * @param {string} [note] Is shown above the changes.
   */
  show(notebook, cell, text, note = "") {
    const reason = refusal(notebook, cell);
    if (reason || !cell) return this.lab.notify(reason || NO_CELL);
    const { sharedModel } = cell.model;
    this.lists.get(sharedModel)?.close();
    const source = sharedModel.source;
    const hunks = hunksOf(source, text);
    if (!hunks.length) return this.lab.notify(SAME);
    const onEnd = (/** @type {string | null} */ changed) => {
      this.lists.delete(sharedModel);
      if (changed === null) return;
      if (sharedModel.source !== source) return this.show(notebook, cell, text, CHANGED);
      replaceText(sharedModel, changed);
      cell.editor?.focus();
    };
    const list = new HunkList({ source, hunks, note, onEnd }, this.lab);
    this.lists.set(sharedModel, list);
    cell.disposed.connect(() => list.close());
    placeBelowInput(cell, list);
    this.reveal(notebook, cell, list);
  }

  /** @param {NotebookPanel} notebook @param {Cell} cell @param {HunkList} list */
  async reveal(notebook, cell, list) {
    const index = notebook.content.widgets.indexOf(cell);
    notebook.content.activeCellIndex = index;
    await notebook.content.scrollToItem(index);
    // The notebook focuses the cell when it is drawn again.
    await nextFrame();
    await nextFrame();
    list.focus();
  }
}

function nextFrame() {
  return new Promise(resolve => { requestAnimationFrame(resolve); });
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
 * @param {NotebookPanel} notebook
 * @param {Cell | null} cell
 * @returns {string} Why the cell cannot be changed; empty if it can.
 */
function refusal({ context }, cell) {
  if (!cell) return NO_CELL;
  if (cell.model.type !== "code") return NOT_CODE;
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

/** @param {Cell} cell @param {HunkList} list */
function placeBelowInput({ layout }, list) {
  const input = layout.widgets.findIndex(part => part.hasClass("jp-Cell-inputWrapper"));
  layout.insertWidget(input + 1, list.widget);
}
