/**
 * The conversation in the page. The kernel owns the state: a view requests all of it when
 * it is rendered, and later messages name turn and block, so that nothing is lost or
 * shown twice.
 */

/** @import { AnyModel } from "@anywidget/types" */
/** @import { ChatMessage, ChatRequest } from "../protocol.js" */
/** @import { Turn } from "./turn.js" */

import { make, button } from "../shared/elements.js";
import { RUN, panelOf } from "../shared/problems.js";
import { CodeActions } from "./code.js";
import { Composer } from "./composer.js";
import { History } from "./history.js";
import { keepKeys } from "./keys.js";
import { Log } from "./log.js";
import { painterOf } from "./markdown.js";
import { handleMessage } from "./messages.js";
import { Meter } from "./meter.js";
import { Note } from "./note.js";
import { Notebook } from "./notebook.js";
import { Queue } from "./queue.js";
import { Restart } from "./restart.js";
import { STOPPING, showStateOf } from "./state.js";

/** Milliseconds after which a question that was not received counts as late. */
const LATE_AFTER = 1000;
const LATE =
  "Waiting for the running cell. If the kernel was restarted, run the panel's cell again.";
const REPLACES = "Send replaces the last question. Esc: send it as a new one.";
const BRANCHES = "Send goes on from here in a new conversation; this one stays in the list.";

/** Conversations, turns, composer and meter, and the messages to and from the kernel. */
export class Chat {
  ids = 0;
  /** Whether an answer is on its way; while a command runs, one can ask. */
  isAnswering = false;
  /** @type {number | null} The turn that the next question replaces. */
  replaces = null;

  /** @param {AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.view = crypto.randomUUID?.() ?? String(Math.random());
    this.paint = painterOf(model);
    this.notebook = new Notebook(model);
    this.code = new CodeActions(this);
    this.history = new History(this);
    this.log = new Log(this);
    this.note = new Note();
    this.served = make("div", { className: "cb-served" });
    this.unserve = button("Stop", () => this.ask("/serve off"), "Stop serving the notebook");
    this.queue = new Queue(this);
    this.restart = new Restart(this);
    this.composer = new Composer(this);
    this.meter = new Meter(this, el);
    this.sendButton = button("Send", () => this.composer.send(), "Send (Enter)");
    this.sendButton.className = "cb-primary";
    this.stopButton = button("Stop", () => this.stop(), "Stop the answer (Esc)");
    const gap = make("span", { className: "cb-gap" });
    this.node = make("div", { className: "cb-chat" },
      this.history.node, this.restart.node, this.log.node, this.queue.node,
      this.served, this.note.node, this.composer.node,
      make("div", { className: "cb-bar" },
        this.meter.button, this.meter.ahead, gap, this.stopButton, this.sendButton),
      this.meter.node);
    el.classList.add("cb-place");
    el.append(this.node);
    const draft = this.restart.draft();
    if (draft) this.composer.set(draft);
    this.listen();
    this.showState();
    this.send({ type: "ready", view: this.view });
    this.meter.soon();
  }

  listen() {
    const receive = (/** @type {ChatMessage} */ message) => this.receive(message);
    const run = (/** @type {Event} */ event) => this.onRun(event);
    const allowKeys = keepKeys();
    this.model.on("msg:custom", receive);
    document.addEventListener(RUN, run);
    this.stopListening = () => {
      this.model.off("msg:custom", receive);
      document.removeEventListener(RUN, run);
      allowKeys();
    };
  }

  close() {
    this.stopListening?.();
    this.restart.close();
    this.note.close();
    this.history.close();
    this.log.close();
    this.meter.close();
  }

  newId() {
    this.ids += 1;
    return `${this.view}:${this.ids}`;
  }

  /** @param {ChatRequest} message */
  send(message) {
    this.model.send(message);
  }

  /** @param {ChatMessage} message */
  receive(message) {
    if (message.type === "answer") {
      const turn = this.log.turns.get(message.turn);
      const isMoreOfIt = turn?.blocks && !message.done;
      turn?.take(message);
      if (isMoreOfIt) return;
    }
    handleMessage(this, message);
    this.showState();
  }

  // What the user does

  /**
   * @param {string} text
   * @param {number | null} [replaces]
   * @param {string} [after] The proposal that has run, from which the answer goes on.
   */
  ask(text, replaces = null, after = "") {
    const ask = this.newId();
    const timer = window.setTimeout(() => this.note.keep(LATE), LATE_AFTER);
    this.log.addPending(ask, text, timer);
    const cells = this.notebook.cells();
    this.send({ type: "ask", ask, text, replaces, cells, after });
  }

  /** @param {Event} event A remedy in this panel has a command run. */
  onRun(event) {
    // Some front ends have each widget in a shadow root.
    const target = /** @type {Element} */ (event.composedPath()[0]);
    const panel = panelOf(target) ?? document;
    if (!panel.contains(this.node)) return;
    this.ask(/** @type {CustomEvent<string>} */ (event).detail);
    this.showState();
  }

  stop() {
    this.queue.takeBack();
    this.send({ type: "stop" });
    this.note.show(STOPPING);
  }

  /** @param {Turn} turn */
  edit(turn) {
    this.replaces = turn.number;
    this.composer.set(turn.question);
    const isLast = turn === this.log.lastQuestion();
    this.note.show(isLast ? REPLACES : BRANCHES);
  }

  /** The text in the composer is a new question again. */
  replaceNothing() {
    this.replaces = null;
    this.note.show("");
  }

  showState() {
    showStateOf(this);
  }
}

export default {
  /** @param {{ model: AnyModel, el: HTMLElement }} context */
  render({ model, el }) {
    if (model.get("is_alone")) el.classList.add("codebuddy-panel", "codebuddy-alone");
    const chat = new Chat(model, el);
    return () => chat.close();
  },
};
