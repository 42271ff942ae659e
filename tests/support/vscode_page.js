/**
 * What VS Code's Jupyter extension does in the page of a notebook's outputs, as far as
 * widgets need it: it gives the manager of widgets a kernel, loads their modules by
 * RequireJS, and hands Markdown to VS Code's own renderer. Written after the sources of
 * microsoft/vscode-jupyter and of VS Code's `markdown-language-features`.
 */

const WIDGET = "application/vnd.jupyter.widget-view+json";
const MARKDOWN = "vscode.markdown-it-renderer";
const signal = { connect: () => true, disconnect: () => true };

const targets = new Map();
const comms = new Map();
const futures = new Map();
const listeners = new Set();
let sent = 0;

/** Send a message to the kernel; what it causes there comes to the future. */
function send(type, content) {
  sent += 1;
  const id = `page-${sent}`;
  const future = { msg: { header: { msg_id: id } }, onReply() {}, onStdin() {}, onIOPub() {} };
  futures.set(id, future);
  window.toKernel(JSON.stringify({ id, type, content }));
  return future;
}

function makeComm(commId, targetName) {
  const comm = {
    commId,
    targetName,
    onMsg() {},
    onClose() {},
    send: data => send("comm_msg", { comm_id: commId, data }),
    close(data = {}) {
      comms.delete(commId);
      return send("comm_close", { comm_id: commId, data });
    },
  };
  comms.set(commId, comm);
  return comm;
}

const kernel = {
  id: "kernel",
  name: "python3",
  username: "",
  clientId: "page",
  model: { id: "kernel", name: "python3" },
  status: "idle",
  connectionStatus: "connected",
  handleComms: true,
  isDisposed: false,
  serverSettings: {},
  statusChanged: signal,
  connectionStatusChanged: signal,
  unhandledMessage: signal,
  anyMessage: signal,
  disposed: signal,
  pendingInput: signal,
  iopubMessage: {
    connect: (slot, owner) => listeners.add(message => slot.call(owner, kernel, message)),
    disconnect: () => true,
  },
  registerCommTarget: (name, opened) => targets.set(name, opened),
  removeCommTarget() {},
  hasComm: id => comms.has(id),
  createComm: (name, id) => makeComm(id, name),
  requestCommInfo: async () => ({ content: { status: "ok", comms: {} } }),
  registerMessageHook() {},
  removeMessageHook() {},
};

const scriptLoader = {
  widgetsRegisteredInRequireJs: new Set(),
  async loadWidgetScript(name) {
    requirejs.config({ paths: { [name]: `/nbextensions/${name}/index` } });
  },
  successHandler() {},
  errorHandler: (name, module, version, error) => window.failed.push(`${name}: ${error}`),
};

/** VS Code's renderer of Markdown, in a workspace that the user trusts. */
const markdownRenderer = {
  reader: window.markdownit({
    html: true,
    linkify: true,
    highlight(code, language) {
      const { escapeHtml } = markdownRenderer.reader.utils;
      if (!language) return escapeHtml(code);
      const name = escapeHtml(language);
      const open = `<div class="vscode-code-block" data-vscode-code-block-lang="${name}">`;
      return `${open}${escapeHtml(code)}</div>`;
    },
  }),
  renderOutputItem(item, element) {
    if (!element.shadowRoot) {
      const root = element.attachShadow({ mode: "open" });
      root.append(document.getElementById("_defaultStyles").cloneNode(true));
      root.append(Object.assign(document.createElement("div"), { id: "preview" }));
    }
    const preview = element.shadowRoot.getElementById("preview");
    preview.innerHTML = this.reader.render(item.text());
  },
};
markdownRenderer.reader.linkify.set({ fuzzyLink: false });

globalThis.jupyter_vscode_rendererContext = {
  getRenderer: async id => (id === MARKDOWN ? markdownRenderer : undefined),
};

/** Give the manager the renderer for what widgets show, as the extension does. */
function registerMarkdown(manager) {
  manager.registerMimeRenderer?.("text/markdown", async ({ data, metadata }, node) => {
    const renderer = await globalThis.jupyter_vscode_rendererContext.getRenderer(MARKDOWN);
    const text = () => JSON.stringify(data["text/markdown"]);
    renderer.renderOutputItem({ id: "1", mime: "text/markdown", metadata, text }, node);
  });
}

function fail(error) {
  window.failed.push(String(error?.stack ?? error));
}

async function show(modelId) {
  const manager = window.manager;
  const place = document.createElement("div");
  place.className = "cell-output-ipywidget-background";
  document.body.append(place);
  const view = await manager.create_view(await manager.get_model(modelId), { el: place });
  await manager.display_view({}, view, { node: place });
}

async function handle(message) {
  const { header, parent_header: parent, content } = message;
  futures.get(parent.msg_id)?.onIOPub(message);
  for (const listener of listeners) listener(message);
  switch (header.msg_type) {
    case "comm_open":
      return targets.get(content.target_name)(
        makeComm(content.comm_id, content.target_name), message);
    case "comm_msg":
      return comms.get(content.comm_id)?.onMsg(message);
    case "comm_close":
      return comms.get(content.comm_id)?.onClose(message);
    case "display_data":
      // Outputs are drawn beside the messages, not between them.
      if (content.data[WIDGET]) show(content.data[WIDGET].model_id).catch(fail);
      return undefined;
    default:
      return undefined;
  }
}

window.failed = [];
window.ran = [];
window.pwned = name => { window.ran.push(name); };
window.keys = [];
window.addEventListener("keydown", ({ key }) => { window.keys.push(key); });

let earlier = Promise.resolve();
window.fromKernel = message => {
  earlier = earlier.then(() => handle(message)).catch(fail);
};

/** Make the manager, once its script is there. */
window.start = () => {
  const loader = window.vscIPyWidgets8 ?? window.vscIPyWidgets7;
  loader?.load();
  const { WidgetManager } = window.vscIPyWidgets;
  window.manager = new WidgetManager(kernel, document.body, scriptLoader, () => {});
  registerMarkdown(window.manager);
};
