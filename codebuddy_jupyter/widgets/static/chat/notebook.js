/** The notebook in the page with its unsaved cells, if the front end gives access. */

/** @import { AnyModel } from "@anywidget/types" */
/** @import { CellFields } from "../protocol.js" */

import { frontEnd } from "./markdown.js";
import { commonShare, linesOf, shortened } from "./sources.js";

/** Characters of all outputs that are sent with a question. */
const MOST_OUTPUT = 400000;
/** The share of common lines from which on code counts as a revision of a cell. */
const REVISION_SHARE = 0.4;
/** Characters of a cell's first line that tell it from others. */
const LONGEST_TITLE = 40;
const READ_ONLY_NOTEBOOK = "The notebook is read-only, so its cells cannot be changed.";
const READ_ONLY_CELL = "The cell is read-only. Its metadata says that it is not editable.";

/** Finds, adds and changes cells. */
export class Notebook {
  /** @param {AnyModel} model */
  constructor(model) {
    this.model = model;
    this.lastRun = "";
  }

  /** @returns {any} JupyterLab's shared model of the notebook, or null. */
  shared() {
    const { context } = frontEnd(this.model);
    if (!isNotebook(context)) return null;
    const shared = context.model?.sharedModel;
    const hasCells = typeof shared?.insertCell === "function" && Array.isArray(shared.cells);
    return hasCells ? shared : null;
  }

  /** @returns {CellFields[] | null} The cells with their outputs as short texts. */
  cells() {
    const shared = this.shared();
    if (!shared) return null;
    let left = MOST_OUTPUT;
    return shared.cells.map((/** @type {any} */ cell) => {
      const hasOutputs = cell.cell_type === "code" && left > 0;
      const outputs = hasOutputs ? (cell.outputs ?? []).map(shortened) : [];
      left -= JSON.stringify(outputs).length;
      return {
        id: cell.id,
        cell_type: cell.cell_type,
        source: String(cell.source),
        metadata: {},
        outputs,
        execution_count: cell.execution_count ?? null,
      };
    });
  }

  /**
   * Insert code as a new cell; it is not run.
   * @param {string} source
   * @returns {string} A note of where it is, or an empty text without access to the
   *   notebook.
   */
  insert(source) {
    if (!this.addCell(source, this.lastRun)) return "";
    const isBelow = this.shared().cells.some((/** @type {any} */ { id }) => id === this.lastRun);
    return isBelow ? "Inserted below the cell that was run last." : "Inserted as the last cell.";
  }

  /**
   * @param {string} source
   * @param {string} aboveId The cell above the new one; without it, that is the last one.
   * @returns {any} The new cell, or null without access to the notebook.
   */
  addCell(source, aboveId) {
    const shared = this.shared();
    if (!shared) return null;
    // As JupyterLab marks the cells that its users add.
    const cell = { cell_type: "code", source, metadata: { trusted: true } };
    const above = shared.cells.findIndex((/** @type {any} */ { id }) => id === aboveId);
    const index = above < 0 ? shared.cells.length : above + 1;
    const added = shared.insertCell(index, cell);
    scrollTo(index);
    return added;
  }

  /** @returns {any[]} The cells with code, without those that ask the buddy. */
  codeCells() {
    const cells = this.shared()?.cells ?? [];
    return cells.filter((/** @type {any} */ { cell_type: type, source }) =>
      type === "code" && source.trim() && !/^\s*%%?buddy/.test(source));
  }

  /**
   * @param {string} id
   * @returns {any} The cell, if it is still there.
   */
  cell(id) {
    return this.codeCells().find(cell => cell.id === id);
  }

  /** @param {string} code @returns {any[]} The cells with code, the likeliest for it first. */
  likeliest(code) {
    const lines = linesOf(code);
    const ranked = this.codeCells().map(cell =>
      ({ cell, share: commonShare(lines, linesOf(cell.source)) }));
    ranked.sort((one, other) => other.share - one.share);
    return ranked.map(({ cell }) => cell);
  }

  /** @param {any} cell @returns {string} Why it cannot be changed; empty if it can. */
  refusal(cell) {
    const { context } = frontEnd(this.model);
    const isWritable = context?.contentsModel?.writable ?? true;
    if (!isWritable || context?.model?.readOnly) return READ_ONLY_NOTEBOOK;
    return cell.getMetadata?.("editable") === false ? READ_ONLY_CELL : "";
  }

  /** @param {any} cell @returns {string} How it is called in a list. */
  titleOf({ execution_count: count, source }) {
    const [line] = source.trim().split("\n");
    return `[${count ?? " "}] ${line.slice(0, LONGEST_TITLE)}`;
  }

  /**
   * @param {string} code
   * @param {number | null} about The execution count of the cell that the question is about.
   * @returns {any} The cell that the code revises: that one, else the most similar.
   */
  revisedBy(code, about) {
    const cells = this.codeCells();
    const lines = linesOf(code);
    const share = (/** @type {any} */ cell) => commonShare(lines, linesOf(cell.source));
    const named = cells.find(cell => about !== null && cell.execution_count === about);
    let best = null;
    let bestShare = REVISION_SHARE;
    for (const cell of cells) {
      // One that has the code already was inserted.
      if (cell.source.trim() === code.trim()) continue;
      if (share(cell) >= bestShare) [best, bestShare] = [cell, share(cell)];
    }
    // The error may be a later one than the one that was asked about.
    return named && (share(named) > 0 || !best) ? named : best;
  }

  /** @returns {any} The cell to compare with if none is similar: the one that ran last. */
  lastCell() {
    return this.cell(this.lastRun) ?? this.codeCells().pop();
  }
}

/**
 * @param {any} context Of a front end, if it has one.
 * @returns {boolean} Whether it is of the notebook, and not the sham of VS Code, which is
 *   of no file.
 */
export function isNotebook(context) {
  return typeof context?.path === "string";
}

/** @param {number} index Of the cell to bring into view, once it is drawn. */
function scrollTo(index) {
  const css = `.jp-Notebook [data-windowed-list-index="${index}"]`;
  requestAnimationFrame(() =>
    document.querySelector(css)?.scrollIntoView({ block: "nearest" }));
}
