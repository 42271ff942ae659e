/** Which conversation is the current one, and the list of the others when it is open. */

/** @import { ChatFields, ChatsMessage } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";
import { ChatActions } from "./chat_actions.js";

const NEW = "New conversation";
/** The title of a conversation that is not kept yet. */
const UNTITLED = "Conversation";
/** Milliseconds without a key after which all messages are searched. */
const SEARCH_AFTER = 300;

/** A button with the title; unfolded, a search field, the list, and what can be done. */
export class History {
  /** @type {ChatFields[]} */
  chats = [];
  /** @type {number | null} */
  current = null;
  /** @type {Set<number>} Conversations in whose messages the kernel found the words. */
  found = new Set();
  timer = 0;

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    const id = `cb-chats-${chat.view}`;
    this.title = button(UNTITLED, () => this.toggle());
    this.title.className = "cb-chat-title";
    this.title.setAttribute("aria-controls", id);
    this.newButton = button("New", () => this.begin(), NEW);
    this.search = make("input", {
      type: "search",
      className: "cb-search",
      placeholder: "Search conversations",
      aria: { label: "Search conversations" },
      on: {
        input: () => this.onInput(),
        keydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      },
    });
    this.list = make("ul", { className: "cb-list", aria: { label: "Conversations" } });
    this.actions = new ChatActions(chat);
    this.fold = make("div", { className: "cb-chats", id, hidden: true },
      this.search, this.list, this.actions.node);
    this.node = make("div", { className: "cb-head" },
      make("div", { className: "cb-bar" },
        this.title, make("span", { className: "cb-gap" }), this.newButton),
      this.fold);
    this.show([], null);
  }

  close() {
    clearTimeout(this.timer);
    this.actions.close();
  }

  begin() {
    this.chat.queue.takeBack();
    this.chat.send({ type: "reset" });
    this.toggle(false);
    this.chat.composer.area.focus();
  }

  toggle(isOpen = this.fold.hidden) {
    this.fold.hidden = !isOpen;
    this.title.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.search.focus();
  }

  /** @param {ChatsMessage["chats"]} chats @param {number | null} current Its number. */
  show(chats, current) {
    [this.chats, this.current] = [chats, current];
    const shown = chats.find(({ number }) => number === current);
    this.title.textContent = shown?.title ?? UNTITLED;
    this.title.ariaLabel = `Conversations: ${this.title.textContent}`;
    this.title.disabled = !chats.length;
    if (!chats.length) this.toggle(false);
    this.actions.show(shown);
    this.draw();
  }

  draw() {
    const words = this.search.value.trim().toLowerCase();
    const fits = (/** @type {ChatFields} */ { number, title }) =>
      !words || title.toLowerCase().includes(words) || this.found.has(number);
    const items = this.chats.filter(fits).map(chat => this.item(chat));
    if (!items.length) items.push(make("li", { className: "cb-nothing" }, "Nothing found"));
    this.list.replaceChildren(...items);
  }

  /** @param {ChatFields} chat */
  item({ number, title, turns }) {
    const choose = () => this.choose(number);
    const count = `${turns} ${turns === 1 ? "question" : "questions"}`;
    const node = button("", choose, `${title}, ${count}`);
    node.append(make("span", {}, title), make("small", {}, count));
    if (number === this.current) node.setAttribute("aria-current", "true");
    return make("li", {}, node);
  }

  /** @param {number} number */
  choose(number) {
    this.toggle(false);
    this.title.focus();
    if (number === this.current) return;
    // What waits to be asked is about the conversation that is left.
    this.chat.queue.takeBack();
    this.chat.send({ type: "switch", number });
  }

  onInput() {
    this.found = new Set();
    this.draw();
    clearTimeout(this.timer);
    const text = this.search.value.trim();
    const ask = () => this.chat.send({ type: "search", text });
    if (text) this.timer = window.setTimeout(ask, SEARCH_AFTER);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    this.toggle(false);
    this.title.focus();
  }

  /** @param {string} text @param {number[]} numbers */
  showFound(text, numbers) {
    if (text !== this.search.value.trim()) return;
    this.found = new Set(numbers);
    this.draw();
  }
}
