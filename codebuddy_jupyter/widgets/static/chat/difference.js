/** What code changes in a cell of the notebook, and the button that changes it. */

/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";

const ROW_CLASSES = /** @type {{ [mark: string]: string }} */ (
  { "+": "cb-added", "-": "cb-removed" });
const APPLIED = "Applied; it was not run. Undo in the cell brings the old text back.";
const CHANGED = "The cell has changed since then: look at the difference again.";

/** @param {[string, string][]} rows @returns {HTMLElement[]} */
export function linesOfDiff(rows) {
  return rows.map(([mark, text]) =>
    make("span", { className: ROW_CLASSES[mark] ?? "" }, `${mark} ${text}\n`));
}

/** Compares code with a cell that can be chosen. */
export class Difference {
  /** The text of the cell with which the code was compared. */
  old = "";

  /** @param {Chat} chat @param {string} source @param {any} cell */
  constructor(chat, source, cell) {
    this.chat = chat;
    this.source = source;
    this.choice = make("select", {
      className: "cb-model",
      aria: { label: "Compare with cell" },
      on: { change: () => this.request() },
    });
    this.choice.append(...this.options());
    this.choice.value = cell.id;
    this.lines = make("pre", { className: "cb-diff", tabIndex: 0, aria: { label: "Changes" } });
    this.apply = button("Apply", () => this.change(), "Put the code into this cell; it is not run");
    this.apply.className = "cb-primary";
    this.refusal = make("div", { className: "cb-refusal", aria: { role: "status" } });
    this.node = make("div", { className: "cb-changes" },
      make("div", { className: "cb-bar" }, this.choice, this.apply,
        button("Hide", () => this.node.remove(), "Hide the changes")),
      this.refusal, this.lines);
    this.request();
  }

  options() {
    const { notebook } = this.chat;
    return notebook.likeliest(this.source).map(cell =>
      make("option", { value: cell.id }, notebook.titleOf(cell)));
  }

  /** Request the lines that differ. */
  request() {
    const cell = this.chat.notebook.cell(this.choice.value);
    if (!cell) return;
    const id = this.chat.newId();
    this.old = String(cell.source);
    this.showRefusal(cell);
    this.chat.code.waiting.set(id, this);
    this.chat.send({ type: "diff", id, old: this.old, new: this.source });
  }

  /** @param {any} cell */
  showRefusal(cell) {
    const refusal = this.chat.notebook.refusal(cell);
    this.refusal.textContent = refusal;
    this.refusal.hidden = !refusal;
    this.apply.hidden = Boolean(refusal);
  }

  /** @param {[string, string][]} rows */
  show(rows) {
    const lines = linesOfDiff(rows);
    if (!lines.length) lines.push(make("span", {}, "The cell has this code."));
    this.lines.replaceChildren(...lines);
    this.apply.disabled = !rows.length;
  }

  /** Put the code into the cell, as one step that can be undone. */
  change() {
    const cell = this.chat.notebook.cell(this.choice.value);
    if (String(cell?.source) !== this.old) {
      this.chat.note.show(CHANGED);
      this.request();
      return;
    }
    cell.setSource(this.source);
    this.node.remove();
    this.chat.note.show(APPLIED);
  }
}
