/** Lists of changes, each below the code of the cell that it would change. */

/** @import { Cell, Lab, NotebookPanel, SharedCell } from "./lab.js" */
/** @import { Changes } from "./hunk_list.js" */

import { HunkList } from "./hunk_list.js";

/** Has at most one list for each cell. */
export class ChangeLists {
  /** @type {Map<SharedCell, HunkList>} */
  lists = new Map();

  /** @param {Lab} lab */
  constructor(lab) {
    this.lab = lab;
  }

  /**
   * @param {NotebookPanel} notebook
   * @param {Cell} cell
   * @param {Changes} changes
   * @returns {HunkList} The list that shows them in the cell, in place of another one.
   */
  open(notebook, cell, changes) {
    const { sharedModel } = cell.model;
    this.lists.get(sharedModel)?.close();
    const onEnd = (/** @type {string | null} */ changed) => {
      this.lists.delete(sharedModel);
      changes.onEnd(changed);
    };
    const list = new HunkList({ ...changes, onEnd }, this.lab);
    this.lists.set(sharedModel, list);
    cell.disposed.connect(() => list.close());
    this.reveal(notebook, cell, list);
    return list;
  }

  /** @param {NotebookPanel} notebook @param {Cell} cell @param {HunkList} list */
  async reveal(notebook, cell, list) {
    const index = notebook.content.widgets.indexOf(cell);
    notebook.content.activeCellIndex = index;
    await notebook.content.scrollToItem(index);
    // A cell that was out of sight has no parts before it is drawn.
    await cell.ready;
    if (list.isClosed) return;
    placeBelowInput(cell, list);
    // The notebook focuses the cell when it is drawn again.
    await nextFrame();
    await nextFrame();
    list.focus();
  }
}

/** @param {NotebookPanel} notebook @param {string} id */
export function cellOf({ content }, id) {
  return content.widgets.find(({ model }) => model.id === id);
}

function nextFrame() {
  return new Promise(resolve => { requestAnimationFrame(resolve); });
}

/** @param {Cell} cell @param {HunkList} list */
function placeBelowInput({ layout }, list) {
  const input = layout.widgets.findIndex(part => part.hasClass("jp-Cell-inputWrapper"));
  layout.insertWidget(input + 1, list.widget);
}
