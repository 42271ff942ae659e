/** Which buttons there are: whether an answer comes, and which question is the last. */

/** @import { Chat } from "./view.js" */

export const STOPPING = "Stopping…";

/**
 * Show whether an answer comes; if none does any more, ask the next question that waits.
 * @param {Chat} chat
 */
export function showStateOf(chat) {
  const turns = [...chat.log.turns.values()];
  const working = turns.filter(turn => turn.blocks && !turn.done);
  const wasAnswering = chat.isAnswering;
  chat.isAnswering = chat.log.pending.size > 0 || working.some(turn => !turn.isCommand);
  if (wasAnswering && !chat.isAnswering) chat.meter.soon();
  const hasWork = chat.isAnswering || working.length > 0;
  chat.stopButton.hidden = chat.restart.isGone || !hasWork;
  chat.sendButton.textContent = chat.isAnswering ? "Send next" : "Send";
  chat.sendButton.disabled = chat.restart.isGone;
  const last = chat.log.lastQuestion();
  for (const turn of turns) {
    turn.node.classList.toggle("cb-is-last", turn === last && !chat.isAnswering);
  }
  if (chat.replaces !== null && !chat.log.turns.has(chat.replaces)) chat.replaceNothing();
  if (chat.stopButton.hidden && chat.note.text() === STOPPING) chat.note.show("");
  if (!chat.isAnswering && chat.queue.askNext()) showStateOf(chat);
}
