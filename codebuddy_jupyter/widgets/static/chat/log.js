/** The list of turns, and the questions that the kernel has not shown yet. */

/** @import { QuestionFields, TurnFields, AnswerFields, Problem } from "../protocol.js" */
/** @import { Chat } from "./view.js" */

import { make } from "../shared/elements.js";
import { showProblem } from "../shared/problems.js";
import { Turn } from "./turn.js";

/** Turns that are farther from the view are not drawn. */
const NEAR = "800px";
/** The log follows the end if it is scrolled to within so many pixels of it. */
const AT_END = 40;

/**
 * @typedef {{ node: HTMLElement, timer: number }} Pending
 *   A question that was sent, and the timer until it counts as late.
 */

/** Shows the turns, and follows the last one unless the user scrolls away. */
export class Log {
  /** @type {Map<number, Turn>} */
  turns = new Map();
  /** @type {Map<string, Pending>} */
  pending = new Map();
  isPinned = true;

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    const aria = { role: "log", live: "polite", label: "Conversation" };
    const on = { scroll: () => this.onScroll() };
    this.node = make("div", { className: "cb-log", tabIndex: 0, aria, on });
    const options = { root: this.node, rootMargin: NEAR };
    this.watcher = new IntersectionObserver(entries => this.onSeen(entries), options);
  }

  close() {
    this.watcher.disconnect();
    for (const { timer } of this.pending.values()) clearTimeout(timer);
    for (const turn of this.turns.values()) turn.remove();
  }

  /** @param {TurnFields[]} turns */
  replaceAll(turns) {
    for (const number of [...this.turns.keys()]) this.remove(number);
    for (const turn of turns) this.take(turn);
    this.isPinned = true;
    this.follow();
  }

  /** @param {TurnFields & { ask?: string }} fields */
  take(fields) {
    // The kernel shows the question now.
    if (fields.ask) this.takePending(fields.ask)?.remove();
    const turn = this.turns.get(fields.turn) ?? this.add(fields);
    // Its answer begins now, from its first block on: what waits is not asked yet.
    if (fields.ask) turn.blocks ??= [];
    if (fields.blocks) turn.take(/** @type {AnswerFields} */ (fields));
    this.follow();
  }

  /** @param {QuestionFields} fields */
  add(fields) {
    const turn = new Turn(this.chat, fields);
    this.turns.set(turn.number, turn);
    const [firstPending] = this.pending.values();
    this.node.insertBefore(turn.node, firstPending?.node ?? null);
    this.watcher.observe(turn.node);
    return turn;
  }

  /** @param {number} number */
  remove(number) {
    const turn = this.turns.get(number);
    if (!turn) return;
    this.watcher.unobserve(turn.node);
    turn.remove();
    this.turns.delete(number);
  }

  /** @returns {Turn | undefined} The last question; commands do not count. */
  lastQuestion() {
    return [...this.turns.values()].filter(turn => !turn.isCommand).pop();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  onSeen(entries) {
    for (const { target, isIntersecting } of entries) {
      const { turn: number } = /** @type {HTMLElement} */ (target).dataset;
      const turn = this.turns.get(Number(number));
      if (!turn) continue;
      turn.isNear = isIntersecting;
      if (turn.isNear && !turn.blocks) turn.request();
      turn.draw();
    }
  }

  onScroll() {
    const { scrollTop, clientHeight, scrollHeight } = this.node;
    this.isPinned = scrollTop + clientHeight >= scrollHeight - AT_END;
  }

  follow() {
    if (this.isPinned) this.node.scrollTop = this.node.scrollHeight;
  }

  // Questions that the kernel has not shown yet

  /** @param {string} ask @param {string} text @param {number} timer */
  addPending(ask, text, timer) {
    for (const refused of this.node.querySelectorAll(".cb-refused")) refused.remove();
    const question = make("div", { className: "cb-question" }, text);
    const node = make("article", { className: "cb-turn" }, question);
    this.node.append(node);
    this.pending.set(ask, { node, timer });
    this.isPinned = true;
    this.follow();
  }

  /**
   * @param {string} ask
   * @returns {HTMLElement | undefined} The node of the question, which is not pending any
   *   more.
   */
  takePending(ask) {
    const pending = this.pending.get(ask);
    clearTimeout(pending?.timer);
    this.pending.delete(ask);
    return pending?.node;
  }

  /**
   * @param {string} ask
   * @param {Problem} error
   * @returns {string | null} The text of the question, if it is of this page.
   */
  refuse(ask, error) {
    const node = this.takePending(ask);
    if (!node) return null;
    const text = node.textContent ?? "";
    const line = make("div", { className: "cb-error" });
    node.classList.add("cb-refused");
    node.append(line);
    showProblem(line, error);
    this.follow();
    return text;
  }
}
