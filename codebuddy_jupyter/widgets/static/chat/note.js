/** A line above the composer that says what happened. */

/** @import { Problem } from "../protocol.js" */

import { make } from "../shared/elements.js";
import { problemNodes } from "../shared/problems.js";

/** Milliseconds that a note stays. */
const NOTE_TIME = 8000;

/** Shows one note at a time. */
export class Note {
  timer = 0;

  constructor() {
    this.node = make("div", { className: "cb-note", aria: { role: "status" } });
  }

  close() {
    clearTimeout(this.timer);
  }

  text() {
    return this.node.textContent ?? "";
  }

  /**
   * @param {string | Problem} text A note that disappears after a while; an empty text
   *   removes the present one.
   */
  show(text) {
    this.keep(text);
    if (text) this.timer = window.setTimeout(() => this.keep(""), NOTE_TIME);
  }

  /** @param {string | Problem} text A note that stays until the next. */
  keep(text) {
    clearTimeout(this.timer);
    this.node.replaceChildren(...(text ? problemNodes(this.node, text) : []));
  }
}
