/** What commands, buttons at errors and the panel's button Apply do. */

/** @import { Cell, Lab, LuminoPanel, NotebookPanel } from "./lab.js" */
/** @import { Proposed } from "./proposed.js" */
/** @import { ErrorFields, TaskRequest } from "./protocol.js" */

import { Applied, meantCell } from "./apply.js";
import { ChangeLists } from "./change_lists.js";
import { loadStyles } from "./elements.js";
import { Refused } from "./link.js";
import { showProposed } from "./proposed.js";
import { Sidebar } from "./sidebar.js";

const NO_CELL = "Open a notebook and select a cell of code first.";
const CHANGED = "The cell has changed meanwhile, so it was not run.";
const NO_NOTEBOOK = "The notebook of this answer is not open.";

/** @typedef {{ cell: string, selection: string }} Meant A cell, and its part if any. */

/** Everything that the extension does once it was used. */
export class Editor {
  /** @param {Lab} lab @param {LuminoPanel} host The place in the sidebar. */
  constructor(lab, host) {
    this.lab = lab;
    this.host = host;
    this.sidebar = new Sidebar(lab, host);
    this.lists = new ChangeLists(lab);
    this.applied = new Applied(lab, this.lists);
    /** @type {Map<string, Meant>} What a question was about. */
    this.meant = new Map();
    loadStyles();
  }

  /** Show the panel of the current notebook, and put the cursor into it. */
  async open() {
    this.lab.app.shell.activateById(this.host.id);
    await this.sidebar.follow()?.focus();
  }

  /** @param {string} task Is done with the selection, or else with the whole cell. */
  async runTask(task) {
    const notebook = this.lab.tracker.currentWidget;
    const cell = notebook?.content.activeCell;
    if (!notebook || !cell || cell.model.type !== "code") return this.lab.notify(NO_CELL);
    const selection = selectionOf(cell);
    const source = selection || cell.model.sharedModel.source;
    const request = { task, source, error: null, count: null };
    await this.ask(notebook, request, { cell: cell.model.id, selection });
  }

  /**
   * @param {"fix" | "explain"} task
   * @param {NotebookPanel} notebook
   * @param {Cell} cell
   * @param {ErrorFields} error
   */
  async askAboutError(task, notebook, cell, error) {
    const { source, execution_count: count = null } = cell.model.sharedModel;
    const request = { task, source, error, count };
    if (await this.lab.setting("errorAnswers") === "output") {
      const { askBelow } = await import("./cell_question.js");
      if (await askBelow(this.lab, notebook, cell, request)) return;
    }
    await this.ask(notebook, request, { cell: cell.model.id, selection: "" });
  }

  /**
   * @param {NotebookPanel} notebook
   * @param {Omit<TaskRequest, "type" | "id"> | { task: string }} request
   * @param {Meant} meant
   */
  async ask(notebook, request, meant) {
    this.lab.app.shell.activateById(this.host.id);
    const view = this.sidebar.viewOf(notebook);
    try {
      const link = await view.ready();
      const { text } = await link.ask("task", request);
      this.meant.set(text.trim(), meant);
      if (request.task === "ask") await view.prefill(text);
      else await view.askPanel(text);
    } catch (error) {
      // The sidebar shows what else keeps it from the kernel.
      if (error instanceof Refused) this.lab.notify(error.message);
    }
  }

  /** @param {CustomEvent<{ code: string, likely: string | null, ranked: string[] }>} event */
  apply(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const notebook = this.notebookOf(target);
    if (!notebook) return this.lab.notify(NO_NOTEBOOK);
    const turn = target.closest(".cb-turn");
    const question = turn?.querySelector(".cb-question")?.textContent?.trim() ?? "";
    const meant = this.meant.get(question) ?? null;
    const { code, likely, ranked } = event.detail;
    const textFor = (/** @type {Cell} */ cell) => codeFor(cell, meant, code);
    this.applied.show({ notebook, ranked, textFor }, meantCell(notebook, { question, meant, likely }));
  }

  /** @param {CustomEvent<Proposed>} event A card of the panel shows its change. */
  showProposed({ target, detail }) {
    const notebook = this.notebookOf(/** @type {HTMLElement} */ (target));
    if (!notebook) return this.lab.notify(NO_NOTEBOOK);
    showProposed(this.lists, notebook, detail);
  }

  /**
   * Run a cell of the panel's notebook, for a button of the panel.
   * @param {CustomEvent<{ cell: string, source: string, done: () => void }>} event
   */
  async runCell({ target, detail: { cell: id, source, done } }) {
    const notebook = this.notebookOf(/** @type {HTMLElement} */ (target));
    if (!notebook) return this.lab.notify(NO_NOTEBOOK);
    const { content, sessionContext } = notebook;
    const index = content.widgets.findIndex(({ model }) => model.id === id);
    // Nothing runs but what the user has seen.
    if (content.widgets[index]?.model.sharedModel.source !== source) {
      return this.lab.notify(CHANGED);
    }
    content.deselectAll();
    content.activeCellIndex = index;
    await this.lab.actions.run(content, sessionContext);
    done();
  }

  /** @param {HTMLElement} element An element of the sidebar, or of an output. */
  notebookOf(element) {
    if (this.host.node.contains(element)) return this.sidebar.notebookOf(element);
    return this.lab.tracker.find(panel => panel.node.contains(element));
  }
}

/** @param {Cell} cell */
function selectionOf(cell) {
  const { editor } = cell;
  if (!editor) return "";
  const { start, end } = editor.getSelection();
  const offsets = [editor.getOffsetAt(start), editor.getOffsetAt(end)].sort((a, b) => a - b);
  return cell.model.sharedModel.source.slice(...offsets).trim();
}

/**
 * @param {Cell} cell
 * @param {Meant | null} meant
 * @param {string} code
 * @returns {string} The new text of the cell, of which the code may be only a part.
 */
function codeFor(cell, meant, code) {
  const { source } = cell.model.sharedModel;
  const { selection, cell: id } = meant ?? { selection: "", cell: "" };
  const start = selection ? source.indexOf(selection) : -1;
  if (start < 0 || cell.model.id !== id) return code;
  return source.slice(0, start) + code.trim() + source.slice(start + selection.length);
}
