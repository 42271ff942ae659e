/** The buttons below an error of a cell. */

/** @import { Lab, LuminoPanel, MimeModel, NotebookPanel, Cell, RenderMime, Renderer } from "./lab.js" */
/** @import { Editor } from "./editor.js" */

import { button, loadStyles, make } from "./elements.js";

const ERROR = "application/vnd.jupyter.error";
const TRACEBACK = "application/vnd.jupyter.stderr";
/** A question of codebuddy's own, whose errors say what to do. */
const QUESTION = /^\s*%%?buddy\b/m;

/**
 * @typedef {object} Rendering
 * @property {LuminoPanel} output Where the error is shown.
 * @property {MimeModel} model
 * @property {object} options Of the renderer.
 * @property {RenderMime} rendermime
 * @property {Lab} lab
 * @property {() => Promise<Editor>} load
 */

/** @type {WeakMap<LuminoPanel, { traceback: Renderer, model: MimeModel }>} */
const rendered = new WeakMap();

/**
 * Show the traceback as JupyterLab does, with buttons below it.
 * @param {Rendering} rendering
 */
export async function renderError(rendering) {
  const { output, model } = rendering;
  const known = rendered.get(output);
  if (known) known.model = model;
  else begin(rendering);
  await rendered.get(output)?.traceback.renderModel(model);
}

/** @param {Rendering} rendering */
function begin({ output, model, options, rendermime, lab, load }) {
  const factory = rendermime.getFactory(TRACEBACK);
  if (!factory) return;
  const traceback = factory.createRenderer({ ...options, mimeType: TRACEBACK });
  rendered.set(output, { traceback, model });
  loadStyles();
  const row = make("div", "codebuddy-error");
  const ask = async (/** @type {"fix" | "explain"} */ task) => {
    const place = placeOf(output, lab);
    if (!place) return;
    const { ename, evalue } = rendered.get(output)?.model.data[ERROR] ?? {};
    const error = { name: String(ename ?? ""), message: String(evalue ?? "") };
    const editor = await load();
    await editor.askAboutError(task, place.notebook, place.cell, error);
  };
  row.append(
    button("Fix", () => ask("fix"), "Ask codebuddy to fix this error"),
    button("Explain", () => ask("explain"), "Ask codebuddy to explain this error"));
  const showRow = () => {
    const place = placeOf(output, lab);
    row.hidden = !place || QUESTION.test(place.cell.model.sharedModel.source);
  };
  output.addWidget(traceback);
  output.addWidget(new lab.lumino.Widget({ node: row }));
  output.onAfterAttach = showRow;
  showRow();
}

/**
 * @param {LuminoPanel} output
 * @param {Lab} lab
 * @returns {{ notebook: NotebookPanel, cell: Cell } | null} None outside of notebooks.
 */
function placeOf(output, lab) {
  const notebook = lab.tracker.find(panel => panel.node.contains(output.node));
  const cell = notebook?.content.widgets.find(({ node }) => node.contains(output.node));
  return notebook && cell ? { notebook, cell } : null;
}
