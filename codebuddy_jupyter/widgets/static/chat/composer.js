/** Where questions are typed. */

/** @import { CompletionsMessage, OfferFields } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make } from "../shared/elements.js";
import { Completions } from "./completions.js";
import { isComposed, isFrontEndKey, isPlainKey } from "./keys.js";
import { Recall } from "./recall.js";

/** Characters before the cursor that are sent to complete them. */
const MOST_TYPED = 1000;
/** What is completed: a command, or a name after an at sign. */
const COMPLETABLE = /^\s*\/\w*$|@[^@\n]*$/;
/** Pixels up to which the text area grows. */
const MOST_HEIGHT = 240;

/** A text area that grows, with completions and keys of its own. */
export class Composer {
  /** Where the word begins that is completed. */
  start = 0;

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.recall = new Recall(chat);
    const id = `cb-${chat.view}`;
    const label = "Ask a question";
    const aria = { label, controls: id, haspopup: "listbox" };
    const on = {
      keydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      input: () => this.onInput(),
      focus: () => this.chat.meter.soon(),
      blur: () => this.completions.close(),
    };
    this.area = make("textarea", {
      className: "cb-input",
      rows: 2,
      placeholder: "Ask, or type / for commands",
      aria: { ...aria, autocomplete: "list" },
      on,
    });
    this.completions = new Completions(this.area, id, name => this.complete(name));
    this.node = make("div", { className: "cb-composer" }, this.completions.node, this.area);
  }

  send() {
    const text = this.area.value;
    if (!text.trim() || this.chat.restart.isGone) return;
    const { replaces } = this.chat;
    this.set("");
    if (this.chat.isAnswering) this.chat.queue.add(text, replaces);
    else this.chat.ask(text, replaces);
    this.chat.showState();
  }

  /** @param {string} text */
  set(text) {
    if (!text) this.chat.replaces = null;
    this.area.value = text;
    this.completions.close();
    this.fit();
    this.area.focus();
    this.chat.meter.soon();
  }

  fit() {
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(this.area.scrollHeight + 2, MOST_HEIGHT)}px`;
  }

  onInput() {
    this.fit();
    this.chat.meter.soon();
    const text = this.textBeforeCursor();
    const word = this.area.value.slice(this.start, this.area.selectionStart);
    // Show the known names that still fit, until the kernel sends others.
    const fits = (/** @type {OfferFields} */ { name }) => name !== word && name.startsWith(word);
    this.completions.show(word ? this.completions.offers.filter(fits) : []);
    if (COMPLETABLE.test(text)) this.chat.send({ type: "complete", text });
  }

  textBeforeCursor() {
    return this.area.value.slice(0, this.area.selectionStart).slice(-MOST_TYPED);
  }

  /** @param {CompletionsMessage} message */
  takeCompletions({ text, word, offers }) {
    // Not if the user has typed on.
    if (text !== this.textBeforeCursor()) return;
    this.start = this.area.selectionStart - word.length;
    this.completions.show(word === offers[0]?.name ? [] : offers);
  }

  /** @param {string} name What replaces the word before the cursor. */
  complete(name) {
    // A path of which only the beginning is there.
    const continues = /[:/]$/.test(name);
    const end = this.area.selectionStart;
    this.area.setRangeText(continues ? name : `${name} `, this.start, end, "end");
    this.completions.close();
    if (continues) this.onInput();
    else this.fit();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (!isFrontEndKey(event)) event.stopPropagation();
    if (isComposed(event)) return;
    const isPlain = isPlainKey(event);
    const act = this.completions.isOpen
      ? this.completions.actionFor(event.key, isPlain)
      : this.actionFor(event.key, isPlain);
    if (!act) return;
    event.preventDefault();
    act();
  }

  /**
   * @param {string} key
   * @param {boolean} isPlain Without Shift and the like.
   * @returns {(() => void) | null} What the key does while no list is open.
   */
  actionFor(key, isPlain) {
    if (key === "Enter" && isPlain) return () => this.send();
    if (isPlain && key.startsWith("Arrow")) return this.recall.actionFor(key, this.area.value);
    if (key !== "Escape") return null;
    if (!this.chat.stopButton.hidden) return () => this.chat.stop();
    return this.chat.replaces === null ? null : () => this.chat.replaceNothing();
  }
}
