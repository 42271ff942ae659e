/** What the view does with each message of the kernel. */

/** @import { ChatMessage, Problem } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

/**
 * Handle a message other than an answer.
 * @param {Chat} chat
 * @param {ChatMessage} message
 */
export function handleMessage(chat, message) {
  switch (message.type) {
    case "all":
      return showAll(chat, message);
    case "turn":
      return chat.log.take(message);
    case "gone":
      return message.turns.forEach(number => chat.log.remove(number));
    case "taken":
      return onTaken(chat, message.ask);
    case "refused":
      return onRefused(chat, message.ask, message.error);
    case "noted":
      return chat.note.show(message.text);
    case "cell":
      return onCell(chat, message.cell);
    case "completions":
      return chat.composer.takeCompletions(message);
    case "chats":
      return chat.history.show(message.chats, message.current);
    case "found":
      return chat.history.showFound(message.text, message.numbers);
    case "measured":
      return chat.meter.show(message);
    case "unmeasured":
      return chat.meter.showError(message);
    case "ahead":
      return chat.meter.showAhead(message.tokens);
    case "served":
      return chat.served.replaceChildren(...message.line ? [message.line, chat.unserve] : []);
    case "stale":
      return chat.meter.soon();
    case "diff":
      return chat.code.show(message.id, message.rows);
    case "card":
      return chat.code.cards.get(message.id)?.take(message);
    case "act":
      if (message.view === chat.view) chat.code.cards.get(message.id)?.act(message.choice);
      return undefined;
    case "answer":
      // What waits would fail in the same way.
      return message.error ? chat.queue.takeBack() : undefined;
    default:
      return undefined;
  }
}

/** @param {Chat} chat @param {Extract<ChatMessage, { type: "all" }>} message */
function showAll(chat, { view, turns, cell, languages }) {
  if (view !== chat.view) return;
  chat.code.languages = languages;
  chat.log.replaceAll(turns);
  chat.notebook.lastRun = cell;
}

/** @param {Chat} chat @param {string} ask */
function onTaken(chat, ask) {
  const pending = chat.log.pending.get(ask);
  if (!pending) return;
  clearTimeout(pending.timer);
  chat.note.show("");
}

/** @param {Chat} chat @param {string} ask @param {Problem} error */
function onRefused(chat, ask, error) {
  const text = chat.log.refuse(ask, error);
  if (text !== null && !chat.composer.area.value) chat.composer.set(text);
}

/** @param {Chat} chat @param {string} cell The one that begins to run. */
function onCell(chat, cell) {
  chat.notebook.lastRun = cell;
  // The kernel forgets the notebook of the page then.
  chat.meter.sentCells = "";
}
