/** What the panel does when its kernel is gone: it says so, and can be opened again. */

/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";
import { panelOf } from "../shared/problems.js";
import { frontEnd } from "./markdown.js";
import { isNotebook } from "./notebook.js";

const GONE = "The kernel was restarted.";
const BY_HAND = " Run the panel's cell again to open it; your text is kept.";
const OPEN = "%load_ext codebuddy_jupyter\n%buddy /panel";
const VIEW = "application/vnd.jupyter.widget-view+json";
/** What ipywidgets marks views with that have lost their kernel. */
const DISCONNECTED = ".jupyter-widgets-disconnected";
/** Where the text of a panel that is gone waits for the next one. */
const DRAFT = Symbol.for("codebuddy draft");

/** Watches the connection to the kernel, and keeps what is typed. */
export class Restart {
  isGone = false;

  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.node = make("div", { className: "cb-gone", hidden: true, aria: { role: "status" } });
    // The front end marks the views in the same moment.
    this.watch = () => queueMicrotask(() => this.look());
    chat.model.on("comm_live_update", this.watch);
  }

  close() {
    this.chat.model.off("comm_live_update", this.watch);
    this.keep();
  }

  /** @returns {any} The kernel of the notebook, if the front end gives access. */
  kernel() {
    const { context } = frontEnd(this.chat.model);
    return isNotebook(context) ? context.sessionContext?.session?.kernel : null;
  }

  /** Show whether the widget has lost its kernel; a connection can come back. */
  look() {
    this.isGone = Boolean(this.chat.node.closest(DISCONNECTED));
    this.node.hidden = !this.isGone;
    const parts = [make("span", {}, this.kernel() ? GONE : GONE + BY_HAND)];
    if (this.kernel()) parts.push(button("Open the panel again", () => this.open()));
    this.node.replaceChildren(...parts);
    if (this.isGone) this.takeBack();
    this.chat.showState();
  }

  /** Put what was sent to the kernel that is gone, and not received, into the composer. */
  takeBack() {
    const { log, note, queue } = this.chat;
    for (const ask of [...log.pending.keys()]) {
      const node = log.takePending(ask);
      queue.waiting.unshift({ text: node?.textContent ?? "", replaces: null });
      node?.remove();
    }
    queue.takeBack();
    note.show("");
  }

  /** Run the cell of a panel in the new kernel, and show that panel in place of this. */
  async open() {
    const manager = frontEnd(this.chat.model);
    const panel = panelOf(this.chat.node);
    const id = await this.newPanel();
    if (!id || !panel) {
      this.node.append(BY_HAND);
      return;
    }
    this.keep();
    this.chat.composer.area.value = "";
    const view = await manager.create_view(await manager.get_model(id));
    const { luminoWidget: widget } = view;
    panel.replaceWith(view.el);
    // The messages of Lumino for a widget that enters the page.
    for (const type of ["before-attach", "after-attach"]) widget.processMessage({ type });
    this.chat.close();
  }

  /** @returns {Promise<string>} The id of the new panel's model; empty if none opened. */
  async newPanel() {
    let id = "";
    const request = this.kernel().requestExecute({ code: OPEN, store_history: false });
    request.onIOPub = (/** @type {any} */ { content }) => {
      id = content?.data?.[VIEW]?.model_id ?? id;
    };
    await request.done;
    return id;
  }

  /** Keep what is typed for the panel that opens next. */
  keep() {
    const { value } = this.chat.composer.area;
    if (this.isGone && value) /** @type {any} */ (window)[DRAFT] = value;
  }

  /** @returns {string} What was typed in a panel that is gone; it is given once. */
  draft() {
    const kept = /** @type {any} */ (window)[DRAFT] ?? "";
    delete (/** @type {any} */ (window)[DRAFT]);
    return kept;
  }
}
