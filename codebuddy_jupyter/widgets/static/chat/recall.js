/** The questions and commands of the conversation, for the arrow keys. */

/** @import { Chat } from "./view.js" */

/** Walks through what was asked, from the latest to the first. */
export class Recall {
  /** How many steps back; 0: what the user types. */
  steps = 0;
  shown = "";

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
  }

  /** @returns {string[]} The latest first; one that was repeated counts once. */
  questions() {
    const turns = [...this.chat.log.turns.values()].reverse();
    return [...new Set(turns.map(turn => turn.question))];
  }

  /**
   * @param {string} key
   * @param {string} text What is in the composer.
   * @returns {(() => void) | null} What an arrow key does: nothing while one types.
   */
  actionFor(key, text) {
    if (text !== (this.steps ? this.shown : "")) this.steps = 0;
    if (text && !this.steps) return null;
    if (key === "ArrowUp") return () => this.go(this.steps + 1);
    return key === "ArrowDown" && this.steps ? () => this.go(this.steps - 1) : null;
  }

  /** @param {number} steps */
  go(steps) {
    const questions = this.questions();
    this.steps = Math.min(steps, questions.length);
    this.shown = questions[this.steps - 1] ?? "";
    this.chat.composer.set(this.shown);
  }
}
