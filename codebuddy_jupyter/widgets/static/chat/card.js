/** Code that the model proposes: nothing of it is inserted or run without a click here. */

/** @import { CardFields, DecideRequest } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";
import { linesOfDiff } from "./difference.js";
import { InCell } from "./in_cell.js";

const STATES = /** @type {{ [state: string]: string }} */ ({
  accepted: "Put into the notebook.",
  rejected: "Rejected.",
  stale: "The cell has changed since then. Ask again.",
  ran: "It has run.",
  undone: "It has run, and was undone.",
});
const NO_RUN = "Only JupyterLab with codebuddy's extension can run it from here.";

/** A proposal with its buttons, which are there until it is decided. */
export class Card {
  /** @type {HTMLTextAreaElement | null} The code while the user edits it. */
  area = null;

  /** @param {Chat} chat @param {CardFields} fields */
  constructor(chat, fields) {
    this.chat = chat;
    this.fields = fields;
    this.code = make("div", {});
    this.bar = make("div", { className: "cb-bar" });
    this.line = make("div", { className: "cb-text", aria: { role: "status" } });
    this.copies = make("input", { type: "checkbox" });
    this.node = make("div", { className: "cb-changes cb-card", tabIndex: -1 },
      make("div", {}, `Proposed: ${fields.title}`), this.code, this.bar, this.line);
    this.inCell = new InCell(this.node);
    this.code.append(make("pre", { className: "cb-diff" }, ...linesOfDiff(fields.rows)));
    const { id, digest } = fields;
    chat.send({ type: "showed", id, digest, view: chat.view });
    this.take(fields);
  }

  get cell() {
    const { old, cell, cell_id: id } = this.fields;
    if (cell === null) return null;
    const cells = this.chat.notebook.codeCells();
    return cells.find(one => one.id === id)
      ?? cells.find(one => one.execution_count === cell && (old === null || one.source === old));
  }

  /** @param {CardFields} fields */
  take(fields) {
    this.fields = fields;
    const { state, old, note, copies, undo } = fields;
    this.line.textContent = note || STATES[state] || "";
    this.clear();
    if (state === "ran" && undo) {
      this.bar.append(button("Undo", () => this.chat.send({ type: "undo", id: fields.id }),
        "Undo what it did to variables"));
    }
    if (this.area) this.area.readOnly = state !== "waiting";
    if (state !== "waiting") return;
    const { notebook } = this.chat;
    const refusal = notebook.refusal(this.cell ?? {});
    if (!refusal) {
      const name = old !== null && notebook.shared() ? "Replace" : "Insert";
      this.add(name, "insert", `${name} the code; it is not run`);
      if (this.canRun()) this.add("Run", "run", `Run: ${name.toLowerCase()} the code first`);
      else this.line.textContent = NO_RUN;
      this.bar.append(button("Edit", () => this.edit(name), "Edit the code first"));
      if (this.canShowInCell()) {
        this.bar.append(button("Show in the cell", () => this.showInCell(),
          "Show the change in the cell that it means"));
      }
      if (copies.length && this.canRun()) this.offerCopies();
    } else this.line.textContent = refusal;
    this.add("Reject", "reject", "Reject the code");
  }

  /** Take the buttons away, here and in the cell; keys must not go to the notebook then. */
  clear() {
    const { activeElement } = document;
    this.inCell.clear();
    this.bar.replaceChildren();
    if (activeElement?.isConnected === false) this.node.focus();
  }

  canRun() {
    return document.body.dataset.codebuddyEditor !== undefined && this.chat.notebook.shared();
  }

  canShowInCell() {
    return this.fields.old !== null && !this.area && this.canRun() && Boolean(this.cell);
  }

  /** Show the change where it would be made, with the buttons that are here. */
  showInCell() {
    const { cell, fields: { old, code, title } } = this;
    if (String(cell?.source) !== old) this.line.textContent = STATES.stale;
    else this.inCell.show({ cell: cell.id, source: old, code, title });
  }

  offerCopies() {
    const names = this.fields.copies.map(([name, size]) => `${name} (${size})`).join(", ");
    this.bar.append(make("label", {}, this.copies, `Copy ${names} before it runs, for Undo`));
  }

  /** @param {string} text @param {DecideRequest["choice"]} choice @param {string} label */
  add(text, choice, label) {
    const act = () => this.decide(choice);
    this.inCell.decisions.push({ text, label, act });
    this.bar.append(button(text, act, label));
  }

  /** @param {string} name Of the button that puts the code into the notebook. */
  edit(name) {
    this.area = make("textarea", { value: this.fields.code, className: "cb-input", rows: 8 });
    this.code.replaceChildren(this.area);
    this.clear();
    this.add(name, "edit", `${name} your code; it is not run`);
    this.add("Reject", "reject", "Reject the code");
    this.area.focus();
  }

  /** @param {DecideRequest["choice"]} choice */
  decide(choice) {
    // A second click finds no button; the kernel counts none either.
    this.clear();
    const { id, digest, copies } = this.fields;
    const source = this.chat.notebook.shared() ? String(this.cell?.source ?? "") : null;
    const wanted = this.copies.checked ? copies.map(([name]) => name) : [];
    this.chat.send({
      type: "decide", id, digest, view: this.chat.view, choice, source, copies: wanted,
    });
  }

  /**
   * Do what was chosen here: one change of the notebook, or none.
   * @param {string} choice
   */
  act(choice) {
    const { fields: { id, old, code: proposed }, chat: { notebook } } = this;
    const code = this.area?.value ?? proposed;
    let cell = this.cell;
    if (old !== null && notebook.shared()) {
      if (String(cell?.source) !== old || notebook.refusal(cell)) {
        this.chat.send({ type: "outdated", id, view: this.chat.view });
        return;
      }
      cell.setSource(code);
    } else {
      cell = notebook.addCell(code, cell?.id ?? notebook.lastRun);
      if (!cell) this.chat.send({ type: "insert", code });
    }
    if (choice === "run" && cell) this.run(cell.id, code);
  }

  /** @param {string} cell Its id. @param {string} source */
  run(cell, source) {
    const done = () => {
      const { id, state, goes_on: goesOn, title } = this.fields;
      if (state === "ran" && goesOn) this.chat.ask(`Go on after: ${title}`, null, id);
    };
    this.inCell.run(cell, source, done);
  }
}
