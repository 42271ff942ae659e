// @ts-check
/**
 * The page side of the panel: the chat, and how it stands with the provider. The kernel owns the state; a view asks for
 * all of it when it is rendered, and later messages name turn and block, so that nothing is lost or doubled.
 *
 * What comes from the kernel is set as text, or drawn by the front end's own renderer, which sanitises it once more.
 *
 * @typedef {import("@anywidget/types").AnyModel<{part: string}>} Model
 * @typedef {{[name: string]: any}} Message
 * @typedef {() => void} CleanUp
 * @typedef {(host: HTMLElement, markdown: string) => Promise<CleanUp>} Painter Draws Markdown in an element.
 */

const NEAR = "800px"; // turns that are farther from the view are not drawn
const PATIENCE = 1000; // ms that the kernel gets to take a message
const PAUSE = 600; // ms without a key after which the meter looks again
const SURE = 4000; // ms in which a second click deletes
const TYPED = 1000; // characters before the cursor that are looked at to complete them
const NOTED = 8000; // ms that a passing note stays
const MOST_OUTPUT = 400000; // characters of the outputs that go along with a question
const OUTPUT = 4000; // characters of one output
const ALIKE = 0.4; // share of common lines from which on code is taken to revise a cell

/**
 * An element with properties and children; texts become text nodes.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{[name: string]: any}} [properties] `aria` and `on` hold attributes and listeners.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { aria = {}, on = {}, ...own } = properties;
  Object.assign(element, own);
  for (const [name, value] of Object.entries(aria)) {
    element.setAttribute(name === "role" ? name : `aria-${name}`, value);
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children);
  return element;
}

/** @param {string} text @param {() => void} act @param {string} [label] Its name, where the text says too little. */
function button(text, act, label = text) {
  return make("button", { type: "button", title: label, aria: { label }, on: { click: act } }, text);
}

/** @param {KeyboardEvent} event Whether a key is the front end's in any place: to save, and to show all commands. */
const isEverywhere = ({ key, ctrlKey, metaKey, shiftKey }) =>
  (ctrlKey || metaKey) && key.toLowerCase() === (shiftKey ? "c" : "s");

/**
 * Keep JupyterLab's keys for cells from what has the focus in the panel: D D on a button would delete the cell. It
 * looks for this mark on the element itself, so whatever makes the elements, they get it with the key.
 * @param {KeyboardEvent} event
 */
function keepKeys(event) {
  const { target } = event;
  if (target instanceof HTMLElement && target.closest(".codebuddy-panel")) {
    target.toggleAttribute("data-lm-suppress-shortcuts", !isEverywhere(event));
  }
}

/** @param {Model} model @returns {any} What the front end offers beside the widgets; nothing of it is documented. */
const frontEnd = model => model.widget_manager ?? {};

/**
 * Draws with the front end's renderer, where it lets a widget have it, else as plain text with code in boxes.
 * @param {Model} model
 * @returns {Painter}
 */
function painterOf(model) {
  const { rendermime } = frontEnd(model);
  if (typeof rendermime?.createRenderer !== "function") return paintPlainly;
  return async (host, markdown) => {
    const renderer = rendermime.createRenderer("text/markdown");
    const data = { "text/markdown": markdown };
    await renderer.renderModel({ trusted: false, data, metadata: {}, setData() {} });
    host.replaceChildren(renderer.node);
    // What Lumino tells a widget that comes into the page, and leaves it: the renderer sets the maths then.
    const tell = (/** @type {string[]} */ ...types) => types.forEach(type => renderer.processMessage({ type }));
    if (/[$\\]/.test(markdown)) tell("after-attach");
    return () => {
      if (renderer.isAttached) tell("before-detach", "after-detach");
      renderer.dispose();
    };
  };
}

/** @type {Painter} */
async function paintPlainly(host, markdown) {
  const parts = markdown.split(/^ *(`{3,}|~{3,})[^\n]*\n([\s\S]*?)(?:^ *\1[`~]*[ \t]*$|$(?![\s\S]))/m);
  const nodes = parts.map((part, index) => {
    if (index % 3 === 1) return "";
    if (index % 3 === 2) return make("pre", {}, make("code", {}, part));
    return make("div", { className: "cb-plain" }, unescaped(part));
  });
  host.replaceChildren(...nodes.filter(node => node !== "" && node.textContent?.trim()));
  return () => {};
}

/** @param {string} text Markdown that the kernel made harmless, by entities and tags that only a Markdown reader undoes. */
function unescaped(text) {
  const named = /** @type {{[name: string]: string}} */ ({ "&lt;": "<", "&gt;": ">", "&amp;": "&" });
  return text.replace(/<\/?code>/g, "`").replace(/&(?:#(\d{1,7})|lt|gt|amp);/g, (entity, number) =>
    number ? String.fromCodePoint(Math.min(Number(number), 0x10ffff)) : named[entity]);
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a safe context or the permission there is the old way.
    const area = make("textarea", { value: text, className: "cb-hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/**
 * An output of a cell as text: head and tail of a long one, and of pictures nothing but that they are there.
 * @param {any} output @returns {object}
 */
function shortened(output) {
  const short = (/** @type {unknown} */ value) => {
    const text = Array.isArray(value) ? value.join("") : String(value ?? "");
    return text.length > OUTPUT ? `${text.slice(0, OUTPUT / 2)}\n…\n${text.slice(-OUTPUT / 2)}` : text;
  };
  const { output_type, name, ename, evalue, text, data, traceback } = output;
  const plain = data && { "text/plain": Object.keys(data).some(kind => kind.startsWith("image/")) ? "image" : short(data["text/plain"]) };
  return { output_type, name, ename, evalue: evalue && short(evalue), text: text && short(text), data: plain,
    traceback: traceback && [short(traceback)] };
}

/** A question with what came of it. */
class Turn {
  /** @param {Chat} chat @param {Message} head */
  constructor(chat, head) {
    this.chat = chat;
    this.number = head.turn;
    this.question = head.question;
    this.isCommand = Boolean(head.command);
    /** @type {string[] | null} The settled blocks; null as long as the page has none of them. */
    this.blocks = null;
    this.tail = "";
    this.done = false;
    this.isNear = false;
    this.isWanted = false;
    this.drawn = 0;
    this.drawnTail = "";
    this.isDrawing = false;
    /** @type {CleanUp[]} */
    this.cleanUps = [];
    /** @type {CleanUp} */
    this.forgetTail = () => {};
    this.thoughts = make("div", { className: "cb-text" });
    this.folded = make("details", { className: "cb-thoughts", hidden: true },
      make("summary", {}, "Thoughts before the answer"), this.thoughts);
    this.settled = make("div", { className: "cb-blocks cb-settled" });
    this.growing = make("div", { className: "cb-blocks cb-tail", aria: { live: "off" } });
    this.error = make("p", { className: "cb-error", hidden: true });
    this.foot = make("div", { className: "cb-foot" });
    this.node = make("article", { className: "cb-turn", aria: { label: "Question and answer" } },
      make("div", { className: "cb-question" }, this.question),
      this.folded, this.settled, this.growing, this.error, this.foot);
    this.node.dataset.turn = String(this.number);
  }

  /** @param {Message} news Blocks from a number on, the tail, and at the end how it ended. */
  take(news) {
    if (!news.blocks) return;
    this.blocks ??= [];
    if (news.from > this.blocks.length) {
      this.want();
      return;
    }
    this.isWanted = false;
    this.blocks.push(...news.blocks.slice(this.blocks.length - news.from));
    this.tail = news.tail;
    if (news.thoughts) {
      this.thoughts.textContent = news.thoughts;
      this.folded.hidden = false;
    }
    if (news.done && !this.done) this.end(news);
    this.node.ariaBusy = String(!this.done);
    this.draw();
  }

  /** Ask the kernel for all of it, unless that was asked and has not come yet. */
  want() {
    if (!this.isWanted) this.chat.send("want", { turn: this.number });
    this.isWanted = true;
  }

  /** @param {Message} news */
  end(news) {
    this.done = true;
    this.error.textContent = news.error ?? "";
    this.error.hidden = !news.error;
    this.foot.replaceChildren(make("span", { className: "cb-line" }, news.line ?? ""));
    if (this.isCommand) return;
    if (news.has_text) {
      this.foot.append(button("Copy", () => copy((this.blocks ?? []).join("").trim()), "Copy the answer"));
    }
    this.foot.append(
      make("span", { className: "cb-last" },
        button("Retry", () => this.chat.ask(this.question, this.number), "Ask the same again"),
        button("Edit", () => this.chat.edit(this), "Edit the question and send it again")));
  }

  /** Draw what is lacking, where somebody may see it soon; one drawing at a time, the last state wins. */
  async draw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    try {
      while (this.isNear && this.blocks && (this.drawn < this.blocks.length || this.drawnTail !== this.tail)) {
        const blocks = this.blocks.slice(this.drawn);
        this.drawn += blocks.length;
        const added = await Promise.all(blocks.map(block => this.paintBlock(block)));
        await this.paintTail();
        this.settled.append(...added);
        this.chat.follow();
      }
    } finally {
      this.isDrawing = false;
    }
  }

  /** @param {string} block @returns {Promise<HTMLElement>} */
  async paintBlock(block) {
    const host = make("div");
    this.cleanUps.push(await this.chat.paint(host, block));
    for (const pre of host.querySelectorAll("pre")) pre.after(this.chat.codeButtons(pre));
    return host;
  }

  async paintTail() {
    const { tail, forgetTail } = this;
    this.drawnTail = tail;
    this.forgetTail = tail ? await this.chat.paint(this.growing, tail) : () => {};
    forgetTail();
    if (!tail) this.growing.replaceChildren();
  }

  remove() {
    this.isNear = false;
    for (const cleanUp of [this.forgetTail, ...this.cleanUps]) cleanUp();
    this.node.remove();
  }
}

/** Transcript and composer. */
class Chat {
  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.view = crypto.randomUUID?.() ?? String(Math.random());
    this.paint = painterOf(model);
    /** @type {Map<number, Turn>} */
    this.turns = new Map();
    /** @type {Map<string, {node: HTMLElement, timer: number}>} Questions that the kernel has not shown yet. */
    this.pending = new Map();
    /** @type {Map<string, (rows: [string, string][]) => void>} */
    this.diffs = new Map();
    this.asks = 0;
    this.cell = "";
    this.isPinned = true;
    /** @type {number | null} The turn whose place the next question takes. */
    this.instead = null;
    this.log = make("div", { className: "cb-log", tabIndex: 0,
      aria: { role: "log", live: "polite", label: "Conversation" }, on: { scroll: () => this.letGo() } });
    this.note = make("div", { className: "cb-note", aria: { role: "status" } });
    this.composer = new Composer(this);
    this.sendButton = button("Send", () => this.composer.send(), "Send (Enter)");
    this.sendButton.className = "cb-primary";
    this.stopButton = button("Stop", () => this.stop(), "Stop the answer (Esc)");
    this.comes = false; // an answer; a command does not keep from asking
    this.chats = new Conversations(this);
    this.meter = new Meter(this, el);
    const bar = make("div", { className: "cb-bar" },
      this.meter.button, make("span", { className: "cb-gap" }), this.stopButton, this.sendButton);
    el.append(make("div", { className: "cb-chat" },
      this.chats.node, this.log, this.note, this.composer.node, bar, this.meter.node));
    this.watcher = new IntersectionObserver(entries => this.look(entries), { root: this.log, rootMargin: NEAR });
    this.receive = (/** @type {Message} */ message) => this.take(message);
    model.on("msg:custom", this.receive);
    this.keepKeys = (/** @type {KeyboardEvent} */ event) => keepKeys(event);
    window.addEventListener("keydown", this.keepKeys, true);
    this.showState();
    this.send("ready", { view: this.view });
    this.meter.soon();
  }

  close() {
    this.model.off("msg:custom", this.receive);
    this.watcher.disconnect();
    window.removeEventListener("keydown", this.keepKeys, true);
    clearTimeout(this.noteTimer);
    this.chats.close();
    this.meter.close();
    for (const { timer } of this.pending.values()) clearTimeout(timer);
    for (const turn of this.turns.values()) turn.remove();
  }

  /** @param {string} type @param {Message} [content] */
  send(type, content = {}) {
    this.model.send({ type, ...content });
  }

  // What the kernel tells

  /** @param {Message} message */
  take(message) {
    const turn = this.turns.get(message.turn);
    if (message.type === "answer" && turn?.blocks && !message.done) return turn.take(message); // no more than more of it
    if (message.type === "all" && message.view === this.view) this.takeAll(message);
    else if (message.type === "turn") this.takeTurn(message);
    else if (message.type === "answer") turn?.take(message);
    else if (message.type === "gone") message.turns.forEach((/** @type {number} */ number) => this.forget(number));
    else if (message.type === "taken") this.taken(message.ask);
    else if (message.type === "refused") this.refused(message);
    else if (message.type === "noted") this.say(message.text);
    else if (message.type === "cell") this.runs(message.cell);
    else if (message.type === "completions") this.composer.offer(message);
    else if (message.type === "chats") this.chats.take(message);
    else if (message.type === "measured") this.meter.take(message);
    else if (message.type === "stale") this.meter.soon();
    else if (message.type === "diff") this.diffs.get(message.id)?.(message.rows);
    return this.showState();
  }

  /** @param {string} cell A cell begins to run, and with it the kernel's picture of the notebook is out of date. */
  runs(cell) {
    this.cell = cell;
    this.meter.cells = "";
  }

  /** @param {Message} message */
  takeAll({ turns, cell }) {
    for (const number of [...this.turns.keys()]) this.forget(number);
    for (const turn of turns) this.takeTurn(turn);
    this.cell = cell;
    this.isPinned = true;
    this.follow();
  }

  /** @param {Message} message */
  takeTurn(message) {
    this.settled(message.ask)?.remove(); // the kernel shows the question now
    let turn = this.turns.get(message.turn);
    if (!turn) {
      turn = new Turn(this, message);
      this.turns.set(turn.number, turn);
      const waiting = [...this.pending.values()][0]?.node;
      this.log.insertBefore(turn.node, waiting ?? null);
      this.watcher.observe(turn.node);
    }
    turn.take(message);
    this.follow();
  }

  /** @param {number} number */
  forget(number) {
    const turn = this.turns.get(number);
    if (!turn) return;
    this.watcher.unobserve(turn.node);
    turn.remove();
    this.turns.delete(number);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  look(entries) {
    for (const entry of entries) {
      const turn = this.turns.get(Number(/** @type {HTMLElement} */ (entry.target).dataset.turn));
      if (!turn) continue;
      turn.isNear = entry.isIntersecting;
      if (turn.isNear && !turn.blocks) turn.want();
      turn.draw();
    }
  }

  // What somebody does

  /** @param {string} text @param {number | null} [instead] */
  ask(text, instead = null) {
    const ask = `${this.view}:${(this.asks += 1)}`;
    for (const refused of this.log.querySelectorAll(".cb-refused")) refused.remove();
    const node = make("article", { className: "cb-turn" }, make("div", { className: "cb-question" }, text));
    this.log.append(node);
    this.pending.set(ask, { node, timer: window.setTimeout(() => this.isLate(), PATIENCE) });
    this.isPinned = true;
    this.follow();
    this.send("ask", { ask, text, instead, cells: this.cells() });
  }

  stop() {
    this.send("stop");
    this.say("Stopping…");
  }

  /** @param {Turn} turn */
  edit(turn) {
    this.instead = turn.number;
    this.composer.set(turn.question);
    this.say("Send takes the place of the last question. Esc: as a new one.");
  }

  /** What is in the composer goes below what is there, not in the place of the last question. */
  anew() {
    this.instead = null;
    this.say("");
  }

  isLate() {
    this.say("Waits for the running cell. If the kernel was restarted, run the panel's cell again.", Infinity);
  }

  /** @param {string} ask */
  taken(ask) {
    if (!this.pending.has(ask)) return;
    clearTimeout(this.pending.get(ask)?.timer);
    this.say("");
  }

  /** @param {string} ask @returns {HTMLElement | undefined} The page's own picture of a question, needed no more. */
  settled(ask) {
    const { node, timer } = this.pending.get(ask) ?? {};
    clearTimeout(timer);
    this.pending.delete(ask);
    return node;
  }

  /** @param {Message} message */
  refused({ ask, text }) {
    const node = this.settled(ask);
    if (!node) return;
    if (!this.composer.area.value) this.composer.set(node.textContent ?? "");
    node.classList.add("cb-refused");
    node.append(make("p", { className: "cb-error" }, text));
    this.follow();
  }

  /** @param {string} text @param {number} [ms] How long it stays. */
  say(text, ms = NOTED) {
    clearTimeout(this.noteTimer);
    this.note.textContent = text;
    if (text && ms < Infinity) this.noteTimer = window.setTimeout(() => this.say(""), ms);
  }

  showState() {
    const turns = [...this.turns.values()];
    const working = turns.filter(turn => turn.blocks && !turn.done);
    const comes = this.pending.size > 0 || working.some(turn => !turn.isCommand);
    if (this.comes && !comes) this.meter.soon();
    this.comes = comes;
    this.stopButton.hidden = !comes && !working.length;
    this.sendButton.hidden = comes;
    const last = turns.filter(turn => !turn.isCommand).pop();
    for (const turn of turns) turn.node.classList.toggle("cb-is-last", turn === last && !comes);
    if (this.instead !== null && this.instead !== last?.number) this.anew();
    if (this.stopButton.hidden && this.note.textContent === "Stopping…") this.say("");
  }

  letGo() {
    this.isPinned = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 40;
  }

  follow() {
    if (this.isPinned) this.log.scrollTop = this.log.scrollHeight;
  }

  // Code

  /** @returns {any} The notebook as the page has it, unsaved cells and all; null where it is out of reach. */
  notebook() {
    const shared = frontEnd(this.model).context?.model?.sharedModel;
    return typeof shared?.insertCell === "function" && Array.isArray(shared.cells) ? shared : null;
  }

  /** @returns {object[] | null} The cells as they stand in the page, their outputs as short texts; null where unknown. */
  cells() {
    let left = MOST_OUTPUT;
    return this.notebook()?.cells.map((/** @type {any} */ cell) => {
      const outputs = cell.cell_type === "code" && left > 0 ? (cell.outputs ?? []).map(shortened) : [];
      left -= JSON.stringify(outputs).length;
      return { id: cell.id, cell_type: cell.cell_type, source: String(cell.source), metadata: {}, outputs,
        execution_count: cell.execution_count ?? null };
    }) ?? null;
  }

  /** @param {HTMLPreElement} pre */
  codeButtons(pre) {
    const code = (pre.textContent ?? "").replace(/\n$/, "");
    const row = make("div", { className: "cb-code" },
      button("Copy", () => copy(code), "Copy the code"),
      button("Insert below", () => this.insert(code), "Insert the code as a new cell below; it is not run"));
    const diff = button("Diff", () => this.showDiff(row, code), "Show what it changes of a cell");
    if (this.revised(code)) row.append(diff);
    return row;
  }

  /** @param {string} code */
  insert(code) {
    const notebook = this.notebook();
    if (!notebook) {
      this.send("insert", { code });
      return;
    }
    const above = notebook.cells.findIndex((/** @type {any} */ cell) => cell.id === this.cell);
    const index = above < 0 ? notebook.cells.length : above + 1;
    notebook.insertCell(index, { cell_type: "code", source: code, metadata: {} });
    this.say(above < 0 ? "Inserted as the last cell." : "Inserted below the cell that was run last.");
  }

  /** @param {string} code @returns {any} The cell that the code most likely revises, if any does. */
  revised(code) {
    const lines = (/** @type {string} */ text) => new Set(text.split("\n").map(line => line.trim()).filter(Boolean));
    const own = lines(code);
    let best = null;
    let most = ALIKE;
    for (const cell of this.notebook()?.cells ?? []) {
      const source = cell.cell_type === "code" ? String(cell.source) : "";
      if (source.trim() === code.trim() || /^\s*%%?buddy/.test(source)) continue;
      const other = lines(source);
      const share = [...own].filter(line => other.has(line)).length / Math.max(own.size, other.size, 1);
      if (share >= most) [best, most] = [cell, share];
    }
    return best;
  }

  /** @param {HTMLElement} row @param {string} code */
  showDiff(row, code) {
    const shown = row.nextElementSibling;
    if (shown?.classList.contains("cb-diff")) return shown.remove();
    const cell = this.revised(code);
    if (!cell) return this.say("No cell is like this code any more.");
    const id = `${this.view}:${(this.asks += 1)}`;
    this.diffs.set(id, rows => {
      this.diffs.delete(id);
      const marks = /** @type {{[mark: string]: string}} */ ({ "+": "cb-added", "-": "cb-removed" });
      const lines = rows.map(([mark, text]) => make("span", { className: marks[mark] ?? "" }, `${mark} ${text}\n`));
      row.after(make("pre", { className: "cb-diff", tabIndex: 0, aria: { label: "Changes" } }, ...lines));
    });
    return this.send("diff", { id, old: cell.source, new: code });
  }
}

/** Where questions are typed. */
class Composer {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    /** @type {string[]} */
    this.found = [];
    this.start = 0; // of the word that is completed
    this.chosen = 0;
    this.list = make("ul", { className: "cb-offers", hidden: true, id: `cb-${chat.view}`,
      aria: { role: "listbox", label: "Completions" } });
    const aria = { label: "Ask the buddy", controls: this.list.id, expanded: "false", autocomplete: "list" };
    this.area = make("textarea", { className: "cb-input", rows: 2, placeholder: "Ask, or type / for commands",
      aria: { role: "combobox", ...aria },
      on: { keydown: (/** @type {KeyboardEvent} */ event) => this.press(event), input: () => this.typed(),
        focus: () => this.chat.meter.soon(), blur: () => this.show() } });
    this.node = make("div", { className: "cb-composer" }, this.list, this.area);
  }

  send() {
    const text = this.area.value;
    if (!text.trim() || this.chat.comes) return;
    const instead = this.chat.instead;
    this.set("");
    this.chat.ask(text, instead);
    this.chat.showState();
  }

  /** @param {string} text */
  set(text) {
    if (!text) this.chat.instead = null;
    this.area.value = text;
    this.show();
    this.fit();
    this.area.focus();
    this.chat.meter.soon();
  }

  fit() {
    this.area.style.height = "auto";
    this.area.style.height = `${Math.min(this.area.scrollHeight + 2, 240)}px`;
  }

  typed() {
    this.fit();
    this.chat.meter.soon();
    const text = this.before();
    const word = this.area.value.slice(this.start, this.area.selectionStart);
    this.show(this.found.filter(name => word && name !== word && name.startsWith(word))); // until the kernel tells more
    if (/^\s*\/\w*$|@[^@\n]*$/.test(text)) this.chat.send("complete", { text });
  }

  /** @returns {string} What stands before the cursor, as far as it matters. */
  before() {
    return this.area.value.slice(0, this.area.selectionStart).slice(-TYPED);
  }

  /** @param {Message} offers The word before the cursor, and what can stand in its place. */
  offer({ text, word, found }) {
    if (text !== this.before()) return; // somebody typed on
    this.start = this.area.selectionStart - word.length;
    this.show(word === found[0] ? [] : found);
  }

  /** @param {string[]} [found] */
  show(found = []) {
    this.found = found;
    this.chosen = 0;
    const isOpen = this.found.length > 0;
    this.list.hidden = !isOpen;
    this.area.setAttribute("aria-expanded", String(isOpen));
    this.list.replaceChildren(...this.found.map((name, index) => this.offered(name, index)));
    this.mark();
  }

  /** @param {string} name @param {number} index */
  offered(name, index) {
    const pick = (/** @type {Event} */ event) => {
      event.preventDefault(); // or the composer would lose the focus
      this.pick(index);
    };
    return make("li", { id: `${this.list.id}-${index}`, aria: { role: "option" }, on: { mousedown: pick } }, name);
  }

  mark() {
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.chosen)));
    if (this.found.length) this.area.setAttribute("aria-activedescendant", `${this.list.id}-${this.chosen}`);
    else this.area.removeAttribute("aria-activedescendant");
    this.list.children[this.chosen]?.scrollIntoView?.({ block: "nearest" });
  }

  /** @param {number} index */
  pick(index) {
    const at = this.area.selectionStart;
    const name = this.found[index];
    const goesOn = /[:/]$/.test(name); // a path, of which only the beginning is there
    this.area.setRangeText(goesOn ? name : `${name} `, this.start, at, "end");
    this.show();
    if (goesOn) this.typed();
    else this.fit();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (!isEverywhere(event)) event.stopPropagation(); // front ends have keys of their own
    if (event.isComposing || event.keyCode === 229) return; // an input method is at work, and Enter is its own
    const isPlain = !(event.shiftKey || event.ctrlKey || event.altKey || event.metaKey);
    const act = this.found.length ? this.pressInList(event.key, isPlain) : this.pressInText(event.key, isPlain);
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** @param {string} key @param {boolean} isPlain @returns {(() => void) | null} */
  pressInList(key, isPlain) {
    const { length } = this.found;
    const step = { ArrowDown: 1, ArrowUp: length - 1 }[key];
    if (step !== undefined) return () => { this.chosen = (this.chosen + step) % length; this.mark(); };
    if (isPlain && (key === "Enter" || key === "Tab")) return () => this.pick(this.chosen);
    return key === "Escape" ? () => this.show() : null;
  }

  /** @param {string} key @param {boolean} isPlain @returns {(() => void) | null} */
  pressInText(key, isPlain) {
    if (key === "Enter" && isPlain) return () => this.send();
    if (key === "ArrowUp" && isPlain && !this.area.value) return () => this.recall();
    if (key !== "Escape") return null;
    if (!this.chat.stopButton.hidden) return () => this.chat.stop();
    return this.chat.instead === null ? null : () => this.chat.anew();
  }

  recall() {
    const last = [...this.chat.turns.values()].pop();
    if (last) this.set(last.question);
  }
}

/** Which conversation goes on, and the others of this notebook. */
class Conversations {
  /** @param {Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.choice = make("select", { className: "cb-chats", aria: { label: "Conversation" },
      on: { change: () => this.chat.send("switch", { number: Number(this.choice.value) }) } });
    this.remove = button("Delete", () => this.delete(), "Delete this conversation for good");
    this.node = make("div", { className: "cb-bar cb-head" }, this.choice, make("span", { className: "cb-gap" }),
      this.remove, button("New conversation", () => this.chat.send("reset")));
    this.take({ chats: [], now: null });
  }

  close() {
    clearTimeout(this.timer);
  }

  /** @param {Message} message Those that are kept, and the number of the one that goes on, if it is among them. */
  take({ chats, now }) {
    this.doubt();
    const options = chats.map((/** @type {Message} */ { number, title }) =>
      make("option", { value: String(number) }, title));
    if (now === null) options.unshift(make("option", { value: "", disabled: true }, "A new conversation"));
    this.choice.replaceChildren(...options);
    this.choice.value = String(now ?? "");
    this.choice.hidden = chats.length === 0;
    this.remove.hidden = now === null;
  }

  delete() {
    if (this.timer) {
      this.chat.send("delete", { number: Number(this.choice.value) });
      this.doubt();
      return;
    }
    this.remove.textContent = "Delete for good?";
    this.timer = window.setTimeout(() => this.doubt(), SURE);
  }

  doubt() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.remove.textContent = "Delete";
  }
}

/** How much of the window the next question takes; unfolded, what would be sent, and what of the notebook may be. */
class Meter {
  /** @param {Chat} chat @param {HTMLElement} el What is in view as long as anybody may want to know. */
  constructor(chat, el) {
    this.chat = chat;
    this.bar = make("span", { className: "cb-gauge", aria: { hidden: "true" } });
    this.told = make("span");
    const id = `cb-meter-${chat.view}`;
    this.button = button("", () => this.unfold(), "What the next question sends");
    this.button.className = "cb-meter";
    this.button.setAttribute("aria-controls", id);
    this.button.setAttribute("aria-expanded", "false");
    this.button.append(this.bar, this.told);
    this.ticks = make("fieldset", {}, make("legend", {}, "Told of the notebook"));
    this.trouble = make("p", { className: "cb-wrong", hidden: true });
    this.whole = make("div", { className: "cb-blocks cb-whole", tabIndex: 0,
      aria: { role: "region", label: "What would be sent" } });
    this.node = make("div", { className: "cb-sends", id, hidden: true }, this.ticks, this.trouble, this.whole);
    /** @type {CleanUp} */
    this.forget = () => {};
    this.newest = "";
    this.button.hidden = true;
    this.cells = ""; // the notebook as the kernel was told of it last
    this.isStale = false;
    this.isSeen = false;
    this.isChosen = false; // the boxes tell what was chosen, and what was measured before that does not
    this.watcher = new IntersectionObserver(entries => this.seen(entries.some(entry => entry.isIntersecting)));
    this.watcher.observe(el);
  }

  close() {
    clearTimeout(this.timer);
    this.watcher.disconnect();
    this.forget();
  }

  /** @param {boolean} isSeen Whether anybody can see the panel; if not, there is no need to look. */
  seen(isSeen) {
    this.isSeen = isSeen;
    if (isSeen && this.isStale) this.soon();
  }

  /** Look again, once nobody types any more. */
  soon() {
    this.isStale = true;
    clearTimeout(this.timer);
    if (this.isSeen) this.timer = window.setTimeout(() => this.look(), PAUSE);
  }

  look() {
    clearTimeout(this.timer);
    if (this.chat.comes) return;
    this.isStale = this.isChosen = false;
    const cells = this.chat.cells();
    const told = JSON.stringify(cells);
    const news = told === this.cells ? {} : { cells };
    this.cells = told;
    this.chat.send("measure", { text: this.chat.composer.area.value, whole: !this.node.hidden, ...news });
  }

  unfold() {
    this.node.hidden = !this.node.hidden;
    this.button.setAttribute("aria-expanded", String(!this.node.hidden));
    if (!this.node.hidden) this.look();
  }

  /** @param {Message} message */
  async take({ tokens, window: size, assumed, parts = [], sections, trouble = "", whole }) {
    this.button.hidden = false;
    this.trouble.textContent = trouble;
    this.trouble.hidden = !trouble;
    if (!this.isChosen) this.tick(sections);
    const part = (/** @type {[string, number]} */ [name, count], /** @type {number} */ index) =>
      make("span", { title: `${name}: ${count}`, className: `cb-part cb-part-${index % 4}`,
        style: `width: ${Math.min(100, 100 * count / size)}%` });
    this.bar.replaceChildren(...parts.map(part));
    const about = assumed ? `an assumed ${size?.toLocaleString("en")}` : size?.toLocaleString("en");
    this.told.textContent = trouble ? "cannot be sent so" : `${tokens.toLocaleString("en")} of ${about} tokens`;
    this.button.title = parts.map((/** @type {[string, number]} */ [name, count]) => `${name}: ${count}`).join("\n");
    this.button.setAttribute("aria-label", `What the next question sends: ${this.told.textContent}`);
    if (!whole) return;
    this.newest = whole;
    const host = make("div");
    const forget = await this.chat.paint(host, whole);
    if (this.newest !== whole) {
      forget(); // something newer has been drawn meanwhile
      return;
    }
    this.forget();
    this.forget = forget;
    const unfolded = [...this.whole.querySelectorAll("details")].map(details => details.open);
    this.whole.replaceChildren(host);
    host.querySelectorAll("details").forEach((details, index) => { details.open = unfolded[index] ?? false; });
  }

  /** @param {Message[]} sections */
  tick(sections) {
    const boxes = sections.map(({ name, told, tokens }) => {
      const box = make("input", { type: "checkbox", checked: told, value: name, on: { change: () => this.choose() } });
      return make("label", {}, box, tokens ? `${name} ${tokens.toLocaleString("en")}` : name);
    });
    const focused = /** @type {HTMLInputElement | null} */ (this.ticks.querySelector("input:focus"))?.value;
    this.ticks.replaceChildren(this.ticks.children[0], ...boxes);
    for (const box of this.boxes()) if (box.value === focused) box.focus();
  }

  /** @returns {HTMLInputElement[]} */
  boxes() {
    return [...this.ticks.querySelectorAll("input")];
  }

  choose() {
    this.isChosen = true;
    this.soon();
    this.chat.send("sections", { sections: this.boxes().filter(box => box.checked).map(box => box.value) });
  }
}

/** How it stands with the provider: a dot, where requests go, what is known, and the key's field. */
class Provider {
  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.dot = make("span", { className: "cb-dot", aria: { hidden: "true" } });
    this.title = make("span", { className: "cb-title" });
    this.where = make("span", { className: "cb-where" });
    this.trouble = make("p", { className: "cb-wrong" });
    this.facts = make("dl", { className: "cb-facts" });
    this.key = make("input", { type: "password", autocomplete: "off", spellcheck: false, aria: { label: "API key" },
      on: { keydown: (/** @type {Event} */ event) => event.stopPropagation() } });
    this.keyTold = make("span");
    const submit = (/** @type {Event} */ event) => this.keep(event);
    this.keyForm = make("form", { className: "cb-key", on: { submit } },
      this.key, make("button", { type: "submit" }, "Keep key"),
      button("Remove key", () => model.send({ type: "key", key: "" }), "Remove the stored key"));
    this.keyPart = make("details", { hidden: true }, make("summary", {}, "API key: ", this.keyTold), this.keyForm);
    const state = make("div", { className: "cb-state" },
      this.dot, make("span", { className: "cb-hidden" }, "The provider is "), this.title, this.where);
    el.append(make("div", { className: "cb-provider" },
      make("div", { aria: { role: "status" } }, state, this.trouble), this.facts, this.keyPart));
    this.receive = (/** @type {Message} */ message) => { if (message.type === "state") this.show(message); };
    model.on("msg:custom", this.receive);
    model.send({ type: "ready" });
  }

  close() {
    this.model.off("msg:custom", this.receive);
  }

  /** @param {Event} event */
  keep(event) {
    event.preventDefault();
    const key = this.key.value;
    this.key.value = "";
    if (key.trim()) this.model.send({ type: "key", key });
  }

  /** @param {Message} state */
  show({ dot, title, where, trouble, facts, key }) {
    this.dot.className = `cb-dot cb-${dot}`;
    this.title.textContent = title;
    this.where.textContent = where ?? "";
    this.trouble.textContent = trouble ?? "";
    this.trouble.hidden = !trouble;
    this.facts.replaceChildren(...(facts ?? []).flatMap((/** @type {[string, string]} */ [label, text]) =>
      [make("dt", {}, label), make("dd", {}, text)]));
    this.facts.hidden = !facts?.length;
    this.keyPart.hidden = !key;
    if (key?.needed) this.keyPart.open = true;
    this.keyTold.textContent = key?.told ?? "";
  }
}

/** What was noted and found last, below the buttons that asked for it. */
class Findings {
  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.lines = make("div", { className: "cb-notes", aria: { role: "status" } });
    this.report = make("div", { className: "cb-report", aria: { role: "status" } });
    el.append(make("div", { className: "cb-provider" }, this.lines, this.report));
    this.receive = (/** @type {Message} */ message) => { if (message.type === "state") this.show(message); };
    model.on("msg:custom", this.receive);
    model.send({ type: "ready" });
  }

  close() {
    this.model.off("msg:custom", this.receive);
  }

  /** @param {Message} state */
  show({ noted, overridden, report }) {
    this.lines.replaceChildren(...[noted, ...(overridden ?? [])].filter(Boolean).map(line => make("div", {}, line)));
    this.report.replaceChildren(...(report ? reportLines(report) : []));
  }
}

/** @param {Message} report @returns {HTMLElement[]} */
function reportLines({ verdict, rows }) {
  const remedy = (/** @type {string} */ text) => make("div", { className: "cb-remedy" }, `→ ${text}`);
  const item = (/** @type {Message} */ { mark, name, found, remedies }) =>
    make("li", { className: mark === "✗" ? "cb-failed" : "" },
      make("span", {}, mark), make("b", {}, name), make("div", {}, found, ...remedies.map(remedy)));
  return [make("b", {}, verdict), make("ul", {}, ...rows.map(item))];
}

const PARTS = /** @type {{[part: string]: typeof Chat | typeof Provider | typeof Findings}} */ (
  { chat: Chat, provider: Provider, findings: Findings });

export default {
  /** @param {{model: Model, el: HTMLElement}} context @returns {CleanUp} */
  render({ model, el }) {
    const view = new PARTS[model.get("part")](model, el);
    return () => view.close();
  },
};
