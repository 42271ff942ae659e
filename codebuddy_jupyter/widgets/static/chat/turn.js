/** A question with its answer, or a command with its output. */

/** @import { AnswerFields, QuestionFields } from "../protocol.js" */
/** @import { CleanUp } from "./markdown.js" */
/** @import { Chat } from "./view.js" */

import { make, button, copy } from "../shared/elements.js";
import { showProblem } from "../shared/problems.js";
import { codeIn } from "./markdown.js";

/** Draws blocks that are final once, and the growing tail again and again. */
export class Turn {
  /** @type {string[] | null} The final blocks; null until the page has any of them. */
  blocks = null;
  tail = "";
  done = false;
  isNear = false;
  isRequested = false;
  isDrawing = false;
  /** The number of blocks that are drawn, and the tail that is. */
  drawn = 0;
  drawnTail = "";
  /** @type {CleanUp[]} */
  cleanUps = [];
  /** @type {CleanUp} */
  cleanUpTail = () => {};

  /** @param {Chat} chat @param {QuestionFields} fields */
  constructor(chat, { turn, question, command, about }) {
    this.chat = chat;
    this.number = turn;
    this.about = about ?? null;
    this.question = question;
    this.isCommand = Boolean(command);
    this.thoughts = make("div", { className: "cb-text" });
    this.folded = make("details", { className: "cb-thoughts", hidden: true },
      make("summary", {}, "Thoughts before the answer"), this.thoughts);
    this.looks = make("div", {});
    this.settled = make("div", { className: "cb-blocks cb-settled" });
    this.growing = make("div", { className: "cb-blocks cb-tail", aria: { live: "off" } });
    this.cards = make("div", { className: "cb-blocks" });
    this.error = make("div", { className: "cb-error", hidden: true });
    this.foot = make("div", { className: "cb-foot" });
    const label = "Question and answer";
    this.node = make("article", { className: "cb-turn", aria: { label } },
      make("div", { className: "cb-question" }, this.question),
      this.folded, this.looks, this.settled, this.growing, this.cards, this.error,
      this.foot);
    this.node.dataset.turn = String(this.number);
  }

  /** @param {AnswerFields} part */
  take(part) {
    this.blocks ??= [];
    if (part.from > this.blocks.length) {
      this.request();
      return;
    }
    this.isRequested = false;
    this.blocks.push(...part.blocks.slice(this.blocks.length - part.from));
    this.tail = part.tail;
    if (part.thoughts) {
      this.thoughts.textContent = part.thoughts;
      this.folded.hidden = false;
    }
    for (const look of (part.looks ?? []).slice(this.looks.childElementCount)) {
      this.looks.append(make("details", { className: "cb-thoughts cb-look" },
        make("summary", {}, look.line), make("div", { className: "cb-text" }, look.text)));
    }
    for (const fields of (part.cards ?? []).slice(this.cards.childElementCount)) {
      const card = this.chat.code.card(fields);
      this.cards.append(card.node);
      this.cleanUps.push(() => card.clear());
    }
    if (part.done && !this.done) this.end(part);
    this.node.ariaBusy = String(!this.done);
    this.draw();
  }

  /** Request the complete turn from the kernel, once. */
  request() {
    if (!this.isRequested) this.chat.send({ type: "want", turn: this.number });
    this.isRequested = true;
  }

  /** @param {AnswerFields} part */
  end({ error, line, has_text: hasText }) {
    this.done = true;
    showProblem(this.error, error);
    this.foot.replaceChildren(make("span", { className: "cb-line" }, line ?? ""));
    if (this.isCommand) return;
    if (hasText) {
      this.foot.append(button("Copy", () => copy(this.text()), "Copy the answer"));
    }
    const retry = () => this.chat.ask(this.question, this.number);
    const edit = () => this.chat.edit(this);
    const retryButton = button("Retry", retry, "Ask the same question again");
    const editButton = button("Edit", edit, "Edit the question and send it again");
    retryButton.className = "cb-last";
    editButton.className = "cb-edit";
    this.foot.append(retryButton, editButton);
  }

  text() {
    return (this.blocks ?? []).join("").trim();
  }

  /** Draw what is missing, if the turn is near the view; one drawing at a time. */
  async draw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    try {
      while (this.isNear && this.blocks && this.isBehind(this.blocks)) {
        const blocks = this.blocks.slice(this.drawn);
        this.drawn += blocks.length;
        const added = await Promise.all(blocks.map(block => this.paintBlock(block)));
        await this.paintTail();
        this.settled.append(...added);
        this.chat.log.follow();
      }
    } finally {
      this.isDrawing = false;
    }
  }

  /** @param {string[]} blocks */
  isBehind(blocks) {
    return this.drawn < blocks.length || this.drawnTail !== this.tail;
  }

  /** @param {string} block @returns {Promise<HTMLElement>} */
  async paintBlock(block) {
    const host = make("div");
    this.cleanUps.push(await this.chat.paint(host, block));
    for (const pre of codeIn(host)) this.chat.code.addButtons(pre, host, this.about);
    return host;
  }

  async paintTail() {
    const { tail, cleanUpTail } = this;
    this.drawnTail = tail;
    this.cleanUpTail = tail ? await this.chat.paint(this.growing, tail) : () => {};
    cleanUpTail();
    if (!tail) this.growing.replaceChildren();
  }

  remove() {
    this.isNear = false;
    for (const cleanUp of [this.cleanUpTail, ...this.cleanUps]) cleanUp();
    this.node.remove();
  }
}
