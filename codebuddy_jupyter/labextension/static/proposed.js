/** A change that a card of the panel proposes, shown in its cell. The card decides. */

/** @import { ChangeLists } from "./change_lists.js" */
/** @import { Decision } from "./hunk_list.js" */
/** @import { NotebookPanel } from "./lab.js" */

import { cellOf } from "./change_lists.js";
import { hunksOf } from "./difference.js";

/**
 * @typedef {object} Proposed
 * @property {string} cell The id of the cell.
 * @property {string} source Its text when the change was proposed.
 * @property {string} code Its new text.
 * @property {string} title
 * @property {Decision[]} decisions The buttons of the card.
 * @property {AbortSignal} signal Closes what is shown.
 */

/**
 * @param {ChangeLists} lists
 * @param {NotebookPanel} notebook
 * @param {Proposed} proposed
 */
export function showProposed(lists, notebook, proposed) {
  const { source, code, title, decisions, signal } = proposed;
  const cell = cellOf(notebook, proposed.cell);
  // It may be decided, and the cell gone, before this was loaded.
  if (!cell || signal.aborted) return;
  const changes = { source, hunks: hunksOf(source, code), notes: [`Proposed: ${title}`] };
  const list = lists.open(notebook, cell, { ...changes, decisions, onEnd() {} });
  signal.addEventListener("abort", () => list.close());
}
