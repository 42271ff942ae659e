/**
 * Completion while typing: what the kernel's model would write at the cursor, as
 * JupyterLab's inline completions ("ghost text"). It is inserted only by the user's key.
 */

/**
 * @typedef {(kind: string, content: object, options: {
 *   onPart?: (content: any) => void, signal?: AbortSignal,
 * }) => Promise<any>} Ask Sends a request to the kernel, and resolves to its result.
 * @typedef {{ offset: number, text: string, mimeType?: string }} Request
 * @typedef {{ triggerKind: number, widget: any }} Context
 * @typedef {{
 *   insertText: string, isIncomplete?: boolean, token?: string,
 * }} Item An inline completion, as JupyterLab takes it.
 */

/** @import { IOPubMessage } from "./lab.js" */

/** JupyterLab's number for a completion that was asked for by a key. */
const INVOKED = 0;
/** Milliseconds without a key after which the kernel is asked. */
const DELAY = 120;
/** Milliseconds for which a kernel that completes nothing is not asked while typing. */
const OFF_TIME = 10_000;
const PYTHON = /python/;

/** A request to the kernel, whose text grows. */
class Growing {
  text = "";
  hasEnded = false;
  /** @type {(() => void)[]} */
  waiting = [];

  /** @param {string} text All of it so far. */
  set(text) {
    this.text = text;
    this.wake();
  }

  /** @param {string} text */
  end(text = this.text) {
    this.hasEnded = true;
    this.set(text);
  }

  wake() {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when the text has changed, or ended. */
  changed() {
    if (this.hasEnded) return Promise.resolve();
    return new Promise(resolve => { this.waiting.push(() => resolve(undefined)); });
  }
}

/** What JupyterLab asks for inline completions. One request is on its way at a time. */
export class InlineCompletions {
  /** @type {AbortController | null} */
  current = null;
  /** @type {Map<string, Growing>} */
  growing = new Map();
  ids = 0;
  /**
   * Until when a notebook's kernel, which completes nothing, is not asked while typing.
   * @type {WeakMap<object, number>}
   */
  off = new WeakMap();

  /**
   * @param {(widget: any) => Promise<Ask | null>} askIn Returns how to ask the kernel of a
   *   notebook; null if codebuddy is not loaded there.
   * @param {number} [delay]
   */
  constructor(askIn, delay = DELAY) {
    this.askIn = askIn;
    this.delay = delay;
  }

  /**
   * @param {Request} request
   * @param {Context} context
   * @returns {Promise<{ items: Item[] }>}
   */
  async fetch(request, { triggerKind, widget }) {
    // With each key, at once: the server stops writing what nobody needs any more.
    this.current?.abort();
    const controller = new AbortController();
    this.current = controller;
    const isAsked = triggerKind === INVOKED;
    if (!isPython(request) || (!isAsked && this.isOff(widget))) return { items: [] };
    if (!isAsked) await pause(this.delay);
    if (controller.signal.aborted) return { items: [] };
    const ask = await this.askIn(widget);
    if (!ask) this.turnOff(widget, Infinity);
    if (!ask || controller.signal.aborted) return { items: [] };
    const growing = this.begin(ask, request, isAsked, widget, controller.signal);
    while (!growing.hasEnded && !growing.text) await growing.changed();
    if (controller.signal.aborted || !growing.text) return { items: [] };
    return { items: [this.itemOf(growing)] };
  }

  /**
   * @param {Ask} ask
   * @param {Request} request
   * @param {boolean} isAsked
   * @param {any} widget
   * @param {AbortSignal} signal
   */
  begin(ask, { text, offset }, isAsked, widget, signal) {
    const growing = new Growing();
    const content = {
      code: text,
      // Python counts characters, JavaScript halves of some.
      cursor: [...text.slice(0, offset)].length,
      cell: widget?.content?.activeCell?.model?.id ?? "",
      asked: isAsked,
    };
    const onPart = (/** @type {{ text: string }} */ part) => growing.set(part.text);
    ask("complete", content, { onPart, signal }).then(result => {
      if (result.off) this.turnOff(widget, Date.now() + OFF_TIME);
      growing.end(result.text);
    }).catch(error => {
      // Nobody is disturbed while typing; /doctor says what is wrong.
      if (!signal.aborted) console.debug("codebuddy: no completion", error);
      growing.end();
    });
    return growing;
  }

  /**
   * @param {Growing} growing
   * @returns {Item}
   */
  itemOf(growing) {
    if (growing.hasEnded) return { insertText: growing.text };
    this.ids += 1;
    const token = String(this.ids);
    this.growing.set(token, growing);
    return { insertText: growing.text, isIncomplete: true, token };
  }

  /**
   * The rest of a completion that was shown while it was still written.
   * @param {string} token
   * @returns {AsyncGenerator<{ response: Item }>}
   */
  async *stream(token) {
    const growing = this.growing.get(token);
    this.growing.delete(token);
    let shown = "";
    while (growing) {
      // It may have changed while JupyterLab drew the last one.
      while (growing.text === shown && !growing.hasEnded) await growing.changed();
      if (growing.text === shown) return;
      shown = growing.text;
      yield { response: { insertText: shown, isIncomplete: !growing.hasEnded } };
    }
  }

  /**
   * Ask its kernel no more until then, or until something was run there: that may have
   * loaded codebuddy, or chosen a model.
   * @param {any} widget
   * @param {number} until
   */
  turnOff(widget, until) {
    const isWatched = this.off.has(widget);
    this.off.set(widget, until);
    const messages = widget.sessionContext?.iopubMessage;
    if (isWatched || !messages) return;
    const look = (/** @type {unknown} */ _, /** @type {IOPubMessage} */ message) => {
      if (!endsExecution(message)) return;
      messages.disconnect(look);
      this.off.delete(widget);
    };
    messages.connect(look);
  }

  /** @param {object} widget */
  isOff(widget) {
    return (this.off.get(widget) ?? 0) > Date.now();
  }
}

/** @param {IOPubMessage} message */
function endsExecution({ content, parent_header }) {
  return content.execution_state === "idle" && parent_header.msg_type === "execute_request";
}

/** @param {Request} request */
function isPython({ mimeType }) {
  return mimeType === undefined || PYTHON.test(mimeType);
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise(resolve => { setTimeout(resolve, milliseconds); });
}
