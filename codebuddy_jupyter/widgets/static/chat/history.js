/** Which conversation is the current one, and the others of this notebook. */

/** @import { ChatsMessage } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";

/** Milliseconds in which a second click deletes. */
const CONFIRM_TIME = 4000;

/** A list to choose from, and buttons to delete one and to begin a new one. */
export class History {
  timer = 0;

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.choice = make("select", {
      className: "cb-chats",
      aria: { label: "Conversation" },
      on: { change: () => chat.send({ type: "switch", number: this.number() }) },
    });
    const label = "Delete this conversation permanently";
    this.deleteButton = button("Delete", () => this.onDelete(), label);
    const newButton = button("New conversation", () => chat.send({ type: "reset" }));
    this.node = make("div", { className: "cb-bar cb-head" },
      this.choice, make("span", { className: "cb-gap" }), this.deleteButton, newButton);
    this.show([], null);
  }

  close() {
    clearTimeout(this.timer);
  }

  number() {
    return Number(this.choice.value);
  }

  /** @param {ChatsMessage["chats"]} chats @param {number | null} current The number of the current one. */
  show(chats, current) {
    this.cancelDelete();
    const options = chats.map(({ number, title }) =>
      make("option", { value: String(number) }, title));
    if (current === null) {
      // The current one is not kept yet.
      options.unshift(make("option", { value: "", disabled: true }, "A new conversation"));
    }
    this.choice.replaceChildren(...options);
    this.choice.value = String(current ?? "");
    this.choice.hidden = chats.length === 0;
    this.deleteButton.hidden = current === null;
  }

  /** Delete with the second click. */
  onDelete() {
    if (this.timer) {
      this.chat.send({ type: "delete", number: this.number() });
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
