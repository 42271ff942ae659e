/** A question that is asked in a cell of the notebook, whose output is the answer. */

/** @import { Cell, Lab, NotebookPanel } from "./lab.js" */

/**
 * Ask in a new cell below another one.
 * @param {Lab} lab
 * @param {NotebookPanel} notebook
 * @param {Cell} cell
 * @param {object} request The fields of a `TaskRequest`.
 * @returns {Promise<boolean>} Whether it was asked. It cannot be where the kernel has not
 *   loaded codebuddy, which the sidebar offers, or where no cell can be added.
 */
export async function askBelow(lab, notebook, cell, request) {
  const { content, context, sessionContext } = notebook;
  if (context.model.readOnly) return false;
  const text = await questionFor(lab, notebook, request);
  const index = content.widgets.indexOf(cell);
  if (text === null || index < 0) return false;
  const source = text.includes("\n") ? `%%buddy\n${text}` : `%buddy ${text}`;
  // JupyterLab's own command adds a cell of Markdown if the user has set that.
  const asking = { cell_type: "code", source, metadata: { trusted: true } };
  context.model.sharedModel.insertCell(index + 1, asking);
  content.deselectAll();
  content.activeCellIndex = index + 1;
  // At once, since what runs is the cell that is active then.
  lab.actions.run(content, sessionContext);
  await content.scrollToItem(index + 1);
  return true;
}

/**
 * @param {Lab} lab
 * @param {NotebookPanel} notebook
 * @param {object} request
 * @returns {Promise<string | null>}
 */
async function questionFor(lab, notebook, request) {
  try {
    const link = await lab.links.of(notebook);
    const { text } = await link.ask("task", request);
    return text;
  } catch {
    // The sidebar asks instead, and says what is wrong.
    return null;
  }
}
