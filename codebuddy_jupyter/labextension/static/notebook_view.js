/**
 * The panel of one notebook in the sidebar. The kernel makes the widget, and the
 * notebook's own widget manager draws it, as it would draw an output.
 */

/** @import { Kernel, Lab, NotebookPanel, Renderer } from "./lab.js" */
/** @import { Link } from "./link.js" */

import { appears, button, make } from "./elements.js";
import { NotLoaded, Refused } from "./link.js";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const LOAD = "%load_ext codebuddy_jupyter";
const WAITING = "Waiting for the kernel…";
const NO_KERNEL = "The notebook has no kernel.";
const NOT_LOADED = "This notebook has not loaded codebuddy.";
const RESTARTED = "The kernel was restarted.";
const NO_WIDGETS =
  "JupyterLab cannot show widgets here. Install jupyterlab_widgets where JupyterLab runs.";
const NOT_PYTHON = "codebuddy needs a kernel of Python.";
const NOT_INSTALLED =
  "codebuddy is not installed for this kernel. Run in a cell: %pip install codebuddy-jupyter";

/** Connects to the kernel, and shows its panel or what keeps it from that. */
export class NotebookView {
  /** @type {Link | null} The comm of the kernel whose panel is shown. */
  link = null;
  /** @type {Renderer | null} */
  renderer = null;
  /** The text that was not sent when the kernel restarted. */
  draft = "";
  /** What is said above the offer to load codebuddy. */
  before = "";
  attempts = 0;
  /** Whether the kernel was restarted, and nothing was asked of it since. */
  isRestarted = false;

  /** @param {NotebookPanel} notebook @param {Lab} lab */
  constructor(notebook, lab) {
    this.notebook = notebook;
    this.lab = lab;
    this.message = make("div", "codebuddy-message");
    this.message.setAttribute("role", "status");
    this.widget = new lab.lumino.Panel();
    this.widget.addClass("codebuddy-sidebar");
    this.widget.addWidget(new lab.lumino.Widget({ node: this.message }));
    const { sessionContext } = notebook;
    this.onStatus = (/** @type {unknown} */ _, /** @type {string} */ status) =>
      this.takeStatus(status);
    this.onKernel = () => this.reconnect();
    sessionContext.statusChanged.connect(this.onStatus);
    sessionContext.kernelChanged.connect(this.onKernel);
    this.connecting = this.connect();
  }

  close() {
    const { sessionContext } = this.notebook;
    sessionContext.statusChanged.disconnect(this.onStatus);
    sessionContext.kernelChanged.disconnect(this.onKernel);
    this.leave();
    this.widget.dispose();
  }

  /** @returns {Promise<Link>} Once the panel is shown; rejected if it cannot be. */
  async ready() {
    await this.connecting;
    if (!this.link) throw new NotLoaded();
    return this.link;
  }

  async focus() {
    await this.connecting;
    this.input()?.focus();
  }

  /** @param {string} text Is asked in the panel. */
  async askPanel(text) {
    await this.ready();
    const chat = this.widget.node.querySelector(".cb-chat");
    chat?.dispatchEvent(new CustomEvent("codebuddy-run", { bubbles: true, detail: text }));
  }

  /** @param {string} text Is put into the panel, with the cursor before it. */
  async prefill(text) {
    await this.ready();
    const input = this.type(text);
    input?.focus();
    input?.setSelectionRange(0, 0);
  }

  /** @returns {HTMLTextAreaElement | null} */
  input() {
    return this.widget.node.querySelector(".cb-input");
  }

  /** @param {string} text */
  type(text) {
    const input = this.input();
    if (!input) return null;
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    return input;
  }

  // The connection

  reconnect() {
    this.leave();
    this.connecting = this.connect();
    return this.connecting;
  }

  async connect() {
    this.attempts += 1;
    const attempt = this.attempts;
    this.isRestarted = false;
    const isLate = () => attempt !== this.attempts || this.widget.isDisposed;
    this.say(WAITING);
    try {
      const link = await this.lab.links.of(this.notebook);
      const { model } = await link.ask("panel", {});
      if (isLate()) return;
      this.link = link;
      link.ended.then(() => {
        if (!isLate()) this.reconnect();
      });
      await this.show(model);
    } catch (error) {
      if (isLate()) return;
      if (error instanceof NotLoaded) await this.offer(isLate);
      else if (error instanceof Refused) this.say(error.message);
      else throw error;
    }
  }

  /** @param {string} status */
  takeStatus(status) {
    if (status === "restarting" || status === "autorestarting") {
      this.leave();
      this.attempts += 1;
      this.isRestarted = true;
      this.before = RESTARTED;
      this.say(RESTARTED);
    } else if (this.isRestarted && status === "idle") {
      // Its configuration may load codebuddy. Once, since the kernel is idle again after
      // each request of a connection.
      this.reconnect();
    }
  }

  leave() {
    this.draft = this.input()?.value || this.draft;
    this.renderer?.dispose();
    this.renderer = null;
    this.link = null;
  }

  // What is shown

  /** @param {string} text @param {...Node} more */
  say(text, ...more) {
    this.message.replaceChildren(make("p", "", text), ...more);
    this.message.hidden = false;
  }

  /** @param {string} model The widget of the kernel. */
  async show(model) {
    const { rendermime } = this.notebook.content;
    if (!rendermime.mimeTypes.includes(WIDGET)) return this.say(NO_WIDGETS);
    const renderer = rendermime.createRenderer(WIDGET);
    this.renderer = renderer;
    this.widget.addWidget(renderer);
    const view = { model_id: model, version_major: 2, version_minor: 0 };
    const data = { [WIDGET]: view };
    await renderer.renderModel({ data, metadata: {}, trusted: true, setData() {} });
    const isDrawn = await appears(this.widget.node, ".cb-input");
    if (!isDrawn || this.renderer !== renderer) return;
    this.message.hidden = true;
    this.before = "";
    if (this.draft && !this.input()?.value) this.type(this.draft);
    this.draft = "";
  }

  /** @param {() => boolean} isLate The kernel has not loaded codebuddy. */
  async offer(isLate) {
    const kernel = this.notebook.sessionContext.session?.kernel;
    if (!kernel) return this.say(NO_KERNEL);
    const { language_info: language } = await kernel.info;
    if (isLate()) return;
    if (language.name !== "python") return this.say(NOT_PYTHON);
    const load = () => this.load(kernel);
    const loadButton = button("Load codebuddy in this notebook", load, `Run ${LOAD}`);
    this.say(this.before || NOT_LOADED, loadButton);
    this.before = "";
  }

  /** @param {Kernel} kernel */
  async load(kernel) {
    this.say(WAITING);
    const request = { code: LOAD, store_history: false, allow_stdin: false };
    const { content } = await kernel.requestExecute(request).done;
    if (this.widget.isDisposed) return;
    if (content.status === "ok") await this.reconnect();
    else if (content.ename === "ModuleNotFoundError") this.say(NOT_INSTALLED);
    else this.say(`${content.ename ?? "Stopped"}: ${content.evalue ?? ""}`);
  }
}
