/** Questions that were sent while an answer comes: they are asked one after the other. */

/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";

/** @typedef {{ text: string, replaces: number | null }} Waiting */

/** Shows the questions that wait, each with a button that removes it. */
export class Queue {
  /** @type {Waiting[]} */
  waiting = [];

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    const aria = { label: "Questions that wait for the answer", live: "polite" };
    this.node = make("ul", { className: "cb-queue", hidden: true, aria });
  }

  /** @param {string} text @param {number | null} replaces The turn that it replaces. */
  add(text, replaces) {
    this.waiting.push({ text, replaces });
    this.draw();
  }

  /** @returns {boolean} Whether a question was waiting, which is asked now. */
  askNext() {
    const next = this.waiting.shift();
    if (!next) return false;
    this.draw();
    this.chat.ask(next.text, next.replaces);
    return true;
  }

  /** Put what waits back into the composer, below what is typed there. */
  takeBack() {
    if (!this.waiting.length) return;
    const { composer } = this.chat;
    const typed = composer.area.value.trim();
    const texts = this.waiting.map(({ text }) => text);
    this.waiting = [];
    this.draw();
    composer.set([typed, ...texts].filter(Boolean).join("\n\n"));
  }

  /** @param {Waiting} question */
  remove(question) {
    this.waiting = this.waiting.filter(waiting => waiting !== question);
    this.draw();
    this.chat.composer.area.focus();
  }

  draw() {
    this.node.hidden = !this.waiting.length;
    this.node.replaceChildren(...this.waiting.map(question =>
      make("li", {},
        make("span", { className: "cb-waits" }, "next"),
        make("span", { className: "cb-waiting" }, question.text),
        button("Remove", () => this.remove(question), `Remove: ${question.text}`))));
  }
}
