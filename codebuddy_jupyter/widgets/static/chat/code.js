/** The buttons below the code of an answer: copy, insert, compare. */

/** @import { Chat } from "./view.js" */

import { make, button, copy } from "../shared/elements.js";

/** The event with which a panel has JupyterLab's extension change a cell. */
const APPLY = "codebuddy-apply";
const ROW_CLASSES = /** @type {{ [mark: string]: string }} */ (
  { "+": "cb-added", "-": "cb-removed" });

/** Makes the buttons, and shows what code changes of a cell. */
export class CodeActions {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    /** @type {Map<string, HTMLElement>} The rows of buttons that wait for a diff. */
    this.waiting = new Map();
  }

  /** @param {HTMLPreElement} pre The code, which gets a row of buttons. */
  addButtons(pre) {
    const code = (pre.textContent ?? "").replace(/\n$/, "");
    const row = make("div", { className: "cb-code" });
    row.append(
      button("Copy", () => copy(code), "Copy the code"),
      button("Insert below", () => this.insert(code),
        "Insert the code as a new cell below; it is not run"));
    if (this.chat.notebook.revisedBy(code) !== null) {
      row.append(
        button("Diff", () => this.compare(row, code), "Show the changes to the most similar cell"));
    }
    // The extension is in this page.
    if (document.body.dataset.codebuddyEditor !== undefined) {
      row.append(button("Apply", () => this.apply(row, code),
        "Apply the code to a cell: choose among its changes there"));
    }
    pre.after(row);
  }

  /**
   * @param {HTMLElement} row
   * @param {string} code
   */
  apply(row, code) {
    const detail = { code, likely: this.chat.notebook.revisedBy(code) };
    row.dispatchEvent(new CustomEvent(APPLY, { bubbles: true, detail }));
  }

  /** @param {string} code */
  insert(code) {
    const note = this.chat.notebook.insert(code);
    if (note) this.chat.note.show(note);
    else this.chat.send({ type: "insert", code });
  }

  /**
   * Show what the code changes of a cell, or hide it again.
   * @param {HTMLElement} row
   * @param {string} code
   */
  compare(row, code) {
    const shown = row.nextElementSibling;
    if (shown?.classList.contains("cb-diff")) {
      shown.remove();
      return;
    }
    const source = this.chat.notebook.revisedBy(code);
    if (source === null) {
      this.chat.note.show("No cell resembles this code any more.");
      return;
    }
    const id = this.chat.newId();
    this.waiting.set(id, row);
    this.chat.send({ type: "diff", id, old: source, new: code });
  }

  /** @param {string} id @param {[string, string][]} rows */
  show(id, rows) {
    const row = this.waiting.get(id);
    this.waiting.delete(id);
    const lines = rows.map(([mark, text]) =>
      make("span", { className: ROW_CLASSES[mark] ?? "" }, `${mark} ${text}\n`));
    const properties = { className: "cb-diff", tabIndex: 0, aria: { label: "Changes" } };
    row?.after(make("pre", properties, ...lines));
  }
}
