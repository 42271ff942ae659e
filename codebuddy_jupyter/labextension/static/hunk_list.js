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

/**
 * @typedef {object} Changes
 * @property {string} source The text of the cell.
 * @property {Hunk[]} hunks
 * @property {string} note
 * @property {(changed: string | null) => void} onEnd Called once, with the new text if
 *   any change was accepted.
 */

/** Ends when all changes are accepted or rejected. */
export class HunkList {
  isClosed = false;

  /** @param {Changes} changes @param {Lab} lab */
  constructor({ source, hunks, note, onEnd }, lab) {
    this.source = source;
    this.hunks = hunks;
    this.onEnd = onEnd;
    const lines = source.split("\n");
    this.rows = hunks.map((hunk, index) => this.row(hunk, index, lines));
    const count = hunks.length === 1 ? "1 change" : `${hunks.length} changes`;
    const bar = make("div", "codebuddy-choices", make("span", "", `${count} of the answer`),
      button("Accept all", () => this.acceptAll(), "Accept all changes (A)"),
      button("Close", () => this.close(), "Close without a change (Esc)"));
    const node = make("div", "codebuddy-difference", bar, ...this.rows);
    if (note) node.prepend(make("p", "", note));
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", `Changes of the answer. ${KEYS}`);
    // JupyterLab's keys for cells stay away: A would add a cell. Notebook 7 looks for the
    // mark on the element with the focus alone.
    for (const element of node.querySelectorAll("button, [tabindex]")) {
      element.setAttribute("data-lm-suppress-shortcuts", "true");
    }
    node.addEventListener("keydown", event => this.onKey(event));
    this.widget = new lab.lumino.Widget({ node });
  }

  focus() {
    this.undecided()[0]?.focus();
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
    const row = make("div", "codebuddy-hunk", code, make("div", "codebuddy-choices",
      make("span", "codebuddy-context", `from line ${start + 1}`),
      button("Accept", () => this.decide(index, "accepted"), "Accept this change (a)"),
      button("Reject", () => this.decide(index, "rejected"), "Reject this change (r)")));
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
    const index = this.rows.findIndex(row => row.contains(/** @type {Node} */ (event.target)));
    const act = this.actionFor(event.key, index);
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
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
    if (key === "A") return () => this.acceptAll();
    if (index < 0) return null;
    if (key === "a") return () => this.decide(index, "accepted");
    if (key === "r") return () => this.decide(index, "rejected");
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    return step ? () => this.rows[index + step]?.focus() : null;
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
