/** The sidebar: the panel of the notebook that is in front. */

/** @import { Lab, LuminoPanel, NotebookPanel } from "./lab.js" */

import { make } from "./elements.js";
import { NotebookView } from "./notebook_view.js";

/** A cell that may have loaded codebuddy. */
const LOADS = /load_ext\s+codebuddy/;
const NO_NOTEBOOK = "Open a notebook: its panel is shown here.";

/** Has a view for each notebook that was in front while it was visible. */
export class Sidebar {
  /** @type {Map<NotebookPanel, NotebookView>} */
  views = new Map();

  /** @param {Lab} lab @param {LuminoPanel} host */
  constructor(lab, host) {
    this.lab = lab;
    this.host = host;
    this.empty = new lab.lumino.Widget({
      node: make("div", "codebuddy-message", make("p", "", NO_NOTEBOOK)),
    });
    host.addWidget(this.empty);
    lab.tracker.currentChanged.connect(() => this.follow());
    lab.actions.executed.connect((_, { notebook, cell }) => {
      if (!LOADS.test(cell.model.sharedModel.source)) return;
      for (const [panel, view] of this.views) {
        if (panel.content === notebook && !view.link) view.reconnect();
      }
    });
  }

  /** @returns {NotebookView | null} The view of the current notebook, which it shows. */
  follow() {
    const notebook = this.lab.tracker.currentWidget;
    // A hidden sidebar follows when it is shown again.
    if (!this.host.isVisible) return null;
    const current = notebook ? this.viewOf(notebook) : null;
    for (const view of this.views.values()) {
      if (view !== current) view.widget.hide();
    }
    if (current) this.empty.hide();
    else this.empty.show();
    current?.widget.show();
    return current;
  }

  /** @param {NotebookPanel} notebook */
  viewOf(notebook) {
    const known = this.views.get(notebook);
    if (known) return known;
    const view = new NotebookView(notebook, this.lab);
    this.views.set(notebook, view);
    this.host.addWidget(view.widget);
    notebook.disposed.connect(() => {
      this.views.delete(notebook);
      view.close();
    });
    return view;
  }

  /**
   * @param {HTMLElement} element An element of a view.
   * @returns {NotebookPanel | undefined}
   */
  notebookOf(element) {
    for (const [notebook, view] of this.views) {
      if (view.widget.node.contains(element)) return notebook;
    }
    return undefined;
  }
}
