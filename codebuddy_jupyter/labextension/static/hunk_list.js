/** The changes of a cell, each to accept or to reject, by button and by key. */

/** @import { Hunk } from "./difference.js" */
/** @import { Lab } from "./lab.js" */

import { withHunks } from "./difference.js";
import { button, make } from "./elements.js";

/** Lines of the cell that are shown around a change. */
const CONTEXT = 2;
const KEYS = "Keys: a accept, r reject, A accept all, Esc close";
/** Characters without a shape, or that change the order in which a text is shown. */
const INVISIBLE = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5"
  + "\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0"
  + "\\ufff0-\\ufffb\\u{e0000}-\\u{e0fff}]", "gu");

/** @typedef {{ id: string, title: string }} Choice A cell that can be chosen. */

/**
 * @typedef {{ text: string, label: string, act: () => void }} Decision A button for all
 *   changes at once; what it does also closes the list.
 */

/**
 * @typedef {object} Changes
 * @property {string} source The text of the cell.
 * @property {Hunk[]} hunks
 * @property {string[]} notes Lines above the changes.
 * @property {boolean} [isRefused] Whether they cannot be applied.
 * @property {Decision[]} [decisions] Without any, each change is accepted or rejected.
 * @property {Choice[]} [cells] This cell, and those that the code could change instead.
 * @property {(id: string) => void} [onCell] Called when another cell was chosen.
 * @property {(changed: string | null) => void} onEnd Called once, with the new text if
 *   any change was accepted.
 */

/** Ends when all changes are accepted or rejected. */
export class HunkList {
  isClosed = false;

  /** @param {Changes} changes @param {Lab} lab */
  constructor({ source, hunks, notes, isRefused, decisions = [], cells = [], onEnd, onCell }, lab) {
    this.source = source;
    this.hunks = hunks;
    this.decisions = decisions;
    // Whether each change is accepted or rejected by itself.
    this.isOneByOne = !isRefused && !decisions.length;
    this.onEnd = onEnd;
    this.onCell = onCell;
    const lines = source.split("\n");
    this.rows = hunks.map((hunk, index) => this.row(hunk, index, lines));
    const said = notes.map(note => make("p", "", note));
    const node = make("div", "codebuddy-difference", ...said, this.bar(cells), ...this.rows);
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", `Changes of the answer. ${this.isOneByOne ? KEYS : ""}`);
    // JupyterLab's keys for cells stay away: A would add a cell. Notebook 7 looks for the
    // mark on the element with the focus alone.
    for (const element of node.querySelectorAll("button, select, [tabindex]")) {
      element.setAttribute("data-lm-suppress-shortcuts", "true");
    }
    node.addEventListener("keydown", event => this.onKey(event));
    this.widget = new lab.lumino.Widget({ node });
  }

  focus() {
    const [first] = this.undecided();
    (first ?? this.closeButton)?.focus();
  }

  /** @param {Choice[]} cells */
  bar(cells) {
    const count = this.hunks.length === 1 ? "1 change" : `${this.hunks.length} changes`;
    const close = button("Close", () => this.close(), "Close without a change (Esc)");
    this.closeButton = close;
    const said = cells.length ? [make("span", "", `${count} in`), this.choice(cells)]
      : [make("span", "codebuddy-count", count)];
    const buttons = this.decisions.map(({ text, label, act }) => button(text, act, label));
    if (this.isOneByOne) {
      buttons.push(button("Accept all", () => this.acceptAll(), "Accept all changes (A)"));
    }
    return make("div", "codebuddy-choices", ...said, ...buttons, close);
  }

  /** @param {Choice[]} cells */
  choice(cells) {
    const select = make("select", "codebuddy-cells");
    select.append(...cells.map(({ id, title }) => new Option(title, id)));
    select.setAttribute("aria-label", "Cell to change");
    select.addEventListener("change", () => {
      this.close();
      this.onCell?.(select.value);
    });
    return select;
  }

  close() {
    this.end(null);
  }

  /** @param {Hunk} hunk @param {number} index @param {string[]} lines */
  row({ start, removed, added }, index, lines) {
    const above = lines.slice(Math.max(start - CONTEXT, 0), start);
    const end = start + removed.length;
    const code = make("pre", "",
      ...marked(" ", above), ...marked("-", removed), ...marked("+", added),
      ...marked(" ", lines.slice(end, end + CONTEXT)));
    const buttons = !this.isOneByOne ? [] : [
      button("Accept", () => this.decide(index, "accepted"), "Accept this change (a)"),
      button("Reject", () => this.decide(index, "rejected"), "Reject this change (r)"),
    ];
    const row = make("div", "codebuddy-hunk", code, make("div", "codebuddy-choices",
      make("span", "codebuddy-context", `from line ${start + 1}`), ...buttons));
    row.tabIndex = 0;
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", `Change ${index + 1} of ${this.hunks.length}`);
    return row;
  }

  undecided() {
    return this.rows.filter(row => !row.dataset.choice);
  }

  /** @param {number} index @param {"accepted" | "rejected"} choice */
  decide(index, choice) {
    this.rows[index].dataset.choice = choice;
    if (this.undecided().length) this.focus();
    else this.finish();
  }

  acceptAll() {
    for (const row of this.undecided()) row.dataset.choice = "accepted";
    this.finish();
  }

  finish() {
    const isAccepted = (/** @type {unknown} */ _, /** @type {number} */ index) =>
      this.rows[index].dataset.choice === "accepted";
    const accepted = this.hunks.filter(isAccepted);
    this.end(accepted.length ? withHunks(this.source, accepted) : null);
  }

  /** @param {string | null} changed */
  end(changed) {
    if (this.isClosed) return;
    this.isClosed = true;
    this.widget.dispose();
    this.onEnd(changed);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const target = /** @type {Element} */ (event.target);
    const index = this.rows.findIndex(row => row.contains(target));
    const act = this.actionFor(event.key, index);
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    // Letters choose an entry of a list.
    if (target.localName === "select" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  /**
   * @param {string} key
   * @param {number} index The change with the focus, or -1.
   * @returns {(() => void) | null}
   */
  actionFor(key, index) {
    if (key === "Escape") return () => this.close();
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && index >= 0) return () => this.rows[index + step]?.focus();
    if (!this.isOneByOne) return null;
    if (key === "A") return () => this.acceptAll();
    if (index < 0) return null;
    if (key === "a") return () => this.decide(index, "accepted");
    return key === "r" ? () => this.decide(index, "rejected") : null;
  }
}

const CLASSES = /** @type {{ [mark: string]: string }} */ (
  { "+": "codebuddy-added", "-": "codebuddy-removed", " ": "codebuddy-context" });

/** @param {string} mark @param {string[]} lines */
function marked(mark, lines) {
  return lines.map(line => make("span", CLASSES[mark], `${mark} ${visible(line)}`));
}

/** @param {string} line @returns {string} The line with its invisible characters named. */
function visible(line) {
  return line.replace(INVISIBLE, character => {
    const number = character.codePointAt(0)?.toString(16).toUpperCase() ?? "";
    return `⟨U+${number.padStart(4, "0")}⟩`;
  });
}
