/** The notebook in the page with its unsaved cells, if the front end gives access. */

/** @import { AnyModel } from "@anywidget/types" */
/** @import { CellFields } from "../protocol.js" */

import { frontEnd } from "./markdown.js";

/** Characters of all outputs that are sent with a question, and of one text in them. */
const MOST_OUTPUT = 400000;
const LONGEST_OUTPUT = 4000;
/** The share of common lines from which on code counts as a revision of a cell. */
const REVISION_SHARE = 0.4;

/** Finds and adds cells. */
export class Notebook {
  /** @param {AnyModel} model */
  constructor(model) {
    this.model = model;
    this.lastRun = "";
  }

  /** @returns {any} JupyterLab's shared model of the notebook, or null. */
  shared() {
    const shared = frontEnd(this.model).context?.model?.sharedModel;
    const isNotebook = typeof shared?.insertCell === "function" && Array.isArray(shared.cells);
    return isNotebook ? shared : null;
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
   * @param {string} code
   * @returns {string} A note of where it is, or an empty text without access to the
   *   notebook.
   */
  insert(code) {
    const shared = this.shared();
    if (!shared) return "";
    const cell = { cell_type: "code", source: code, metadata: {} };
    const above = shared.cells.findIndex((/** @type {any} */ { id }) => id === this.lastRun);
    if (above < 0) {
      shared.insertCell(shared.cells.length, cell);
      return "Inserted as the last cell.";
    }
    shared.insertCell(above + 1, cell);
    return "Inserted below the cell that was run last.";
  }

  /**
   * @param {string} code
   * @returns {string | null} The source of the cell that the code most likely revises.
   */
  revisedBy(code) {
    const lines = linesOf(code);
    let best = null;
    let bestShare = REVISION_SHARE;
    for (const cell of this.shared()?.cells ?? []) {
      const source = cell.cell_type === "code" ? String(cell.source) : "";
      if (source.trim() === code.trim() || /^\s*%%?buddy/.test(source)) continue;
      const share = commonShare(lines, linesOf(source));
      if (share >= bestShare) [best, bestShare] = [source, share];
    }
    return best;
  }
}

/** @param {string} text @returns {Set<string>} */
function linesOf(text) {
  const lines = text.split("\n").map(line => line.trim());
  return new Set(lines.filter(Boolean));
}

/** @param {Set<string>} some @param {Set<string>} others */
function commonShare(some, others) {
  const common = [...some].filter(line => others.has(line));
  return common.length / Math.max(some.size, others.size, 1);
}

/**
 * An output with head and tail of long texts, and of a picture only that there is one.
 * @param {any} output
 * @returns {object}
 */
function shortened({ output_type, name, ename, evalue, text, data, traceback }) {
  return {
    output_type,
    name,
    ename,
    evalue: evalue && shortText(evalue),
    text: text && shortText(text),
    data: data && shortData(data),
    traceback: traceback && [shortText(traceback)],
  };
}

/** @param {{ [type: string]: unknown }} data */
function shortData(data) {
  const isImage = Object.keys(data).some(type => type.startsWith("image/"));
  return { "text/plain": isImage ? "image" : shortText(data["text/plain"]) };
}

/** @param {unknown} value A text, or its lines. */
function shortText(value) {
  const text = Array.isArray(value) ? value.join("") : String(value ?? "");
  if (text.length <= LONGEST_OUTPUT) return text;
  return `${text.slice(0, LONGEST_OUTPUT / 2)}\n…\n${text.slice(-LONGEST_OUTPUT / 2)}`;
}
