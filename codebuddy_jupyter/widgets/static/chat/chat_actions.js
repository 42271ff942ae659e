/** What can be done with the current conversation: name it, write it to a file, delete it. */

/** @import { ChatFields } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";

/** Milliseconds in which a second click deletes. */
const CONFIRM_TIME = 4000;

/** Buttons, and a field for the name. */
export class ChatActions {
  timer = 0;
  /** @type {ChatFields | undefined} */
  current = undefined;

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.name = make("input", {
      className: "cb-search",
      aria: { label: "Name of this conversation" },
      on: { keydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event) },
    });
    this.form = make("div", { className: "cb-bar", hidden: true },
      this.name, button("Save name", () => this.rename()));
    this.deleteButton = button("Delete", () => this.onDelete(),
      "Delete this conversation permanently");
    this.node = make("div", {},
      make("div", { className: "cb-bar" },
        button("Rename", () => this.edit(), "Rename this conversation"),
        button("Export", () => chat.ask("/export"), "Write this conversation to a file"),
        this.deleteButton),
      this.form);
  }

  close() {
    clearTimeout(this.timer);
  }

  /** @param {ChatFields | undefined} current The conversation, if it is kept. */
  show(current) {
    if (current?.number !== this.current?.number) this.form.hidden = true;
    this.current = current;
    this.node.hidden = !current;
    this.cancelDelete();
  }

  edit() {
    this.form.hidden = !this.form.hidden;
    this.name.value = this.current?.title ?? "";
    this.name.focus();
    this.name.select();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    event.stopPropagation();
    if (event.key === "Enter") this.rename();
    if (event.key === "Escape") this.form.hidden = true;
  }

  rename() {
    this.form.hidden = true;
    if (!this.current) return;
    const { number } = this.current;
    this.chat.send({ type: "rename", number, name: this.name.value.trim() });
  }

  /** Delete with the second click. */
  onDelete() {
    if (this.timer && this.current) {
      this.chat.queue.takeBack();
      this.chat.send({ type: "delete", number: this.current.number });
      this.cancelDelete();
      return;
    }
    this.deleteButton.textContent = "Delete permanently?";
    this.timer = window.setTimeout(() => this.cancelDelete(), CONFIRM_TIME);
  }

  cancelDelete() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.deleteButton.textContent = "Delete";
  }
}
