/** The buttons below the code of an answer: copy, insert, compare. */

/** @import { CardFields } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make, button, copy } from "../shared/elements.js";
import { Card } from "./card.js";
import { Difference } from "./difference.js";

/** The event with which a panel has JupyterLab's extension change a cell. */
const APPLY = "codebuddy-apply";
/** The language of a block, in the class of its element. */
const LANGUAGE = /(?:^|\s)language-([^\s]+)/;

/** Makes the buttons, and shows what code changes of a cell. */
export class CodeActions {
  /** @type {{ [language: string]: string }} The magics of languages; empty for Python. */
  languages = {};

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    /** @type {Map<string, Difference>} Those that wait for their lines. */
    this.waiting = new Map();
    /** @type {Map<string, Card>} What is proposed, by its id. */
    this.cards = new Map();
  }

  /** @param {CardFields} fields */
  card(fields) {
    const card = new Card(this.chat, fields);
    this.cards.set(fields.id, card);
    return card;
  }

  /**
   * @param {HTMLPreElement} pre The code, which gets a row of buttons.
   * @param {HTMLElement} host Where it is drawn.
   * @param {number | null} about The execution count of the cell that the question is about.
   */
  addButtons(pre, host, about) {
    const code = (pre.textContent ?? "").replace(/\n$/, "");
    const source = this.sourceOf(pre, code);
    const row = make("div", { className: "cb-code" });
    row.append(button("Copy", () => copy(code), "Copy the code"));
    if (source !== null) {
      row.append(button("Insert below", () => this.insert(source),
        "Insert the code as a new cell below; it is not run"));
    }
    // The extension shows a change in the cell, the panel below the code.
    if (source !== null && document.body.dataset.codebuddyEditor !== undefined) {
      row.append(button("Apply", () => this.apply(row, source, about),
        "Apply the code to a cell: choose among its changes there"));
    } else if (source !== null && this.chat.notebook.lastCell()) {
      row.append(button("Diff", () => this.compare(row, source, about),
        "Show what the code changes in a cell"));
    }
    // Styles of the page do not reach into a shadow root.
    if (host.contains(pre)) pre.after(row);
    else host.append(row);
  }

  /**
   * @param {HTMLPreElement} pre
   * @param {string} code
   * @returns {string | null} The source of a cell with the code; null if no cell could
   *   run it.
   */
  sourceOf(pre, code) {
    const element = pre.querySelector("code") ?? pre;
    const [, language = "python"] = LANGUAGE.exec(`${element.className} ${pre.className}`) ?? [];
    const magic = this.languages[language.toLowerCase()];
    if (magic === undefined) return null;
    return magic && !code.startsWith("%%") ? `${magic}\n${code}` : code;
  }

  /**
   * @param {HTMLElement} row
   * @param {string} source
   * @param {number | null} about
   */
  apply(row, source, about) {
    const { notebook } = this.chat;
    const likely = notebook.revisedBy(source, about)?.source ?? null;
    const ranked = notebook.likeliest(source).map(({ id }) => id);
    const detail = { code: source, likely, ranked };
    row.dispatchEvent(new CustomEvent(APPLY, { bubbles: true, detail }));
  }

  /** @param {string} source */
  insert(source) {
    const note = this.chat.notebook.insert(source);
    if (note) this.chat.note.show(note);
    else this.chat.send({ type: "insert", code: source });
  }

  /**
   * Show what the code changes of a cell, or hide it again.
   * @param {HTMLElement} row
   * @param {string} source
   * @param {number | null} about
   */
  compare(row, source, about) {
    const shown = row.nextElementSibling;
    if (shown?.classList.contains("cb-changes")) {
      shown.remove();
      return;
    }
    const { notebook } = this.chat;
    const cell = notebook.revisedBy(source, about) ?? notebook.lastCell();
    if (!cell) {
      this.chat.note.show("There is no cell to compare with any more.");
      return;
    }
    row.after(new Difference(this.chat, source, cell).node);
  }

  /** @param {string} id @param {[string, string][]} rows */
  show(id, rows) {
    this.waiting.get(id)?.show(rows);
    this.waiting.delete(id);
  }
}
