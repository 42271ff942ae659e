/** One comm for each notebook, for all that asks its kernel. */

/** @import { KernelChange, NotebookPanel, SessionContext } from "./lab.js" */

import { Link, NotLoaded } from "./link.js";

const GONE = ["restarting", "autorestarting", "terminating", "dead"];

/** Opens comms when they are first needed. */
export class Links {
  /** @type {WeakMap<NotebookPanel, Promise<Link>>} */
  links = new WeakMap();
  /** @type {WeakSet<NotebookPanel>} */
  watched = new WeakSet();

  /**
   * @param {NotebookPanel} notebook
   * @returns {Promise<Link>} The comm to its present kernel; rejected with `NotLoaded` if
   *   that has not loaded codebuddy.
   */
  of(notebook) {
    const known = this.links.get(notebook);
    if (known) return known;
    this.watch(notebook);
    const opening = this.open(notebook);
    this.links.set(notebook, opening);
    const forget = () => {
      if (this.links.get(notebook) === opening) this.links.delete(notebook);
    };
    opening.then(link => link.ended.then(forget), forget);
    return opening;
  }

  /** @param {NotebookPanel} notebook */
  async open({ sessionContext }) {
    await sessionContext.ready;
    const kernel = sessionContext.session?.kernel;
    if (!kernel) throw new NotLoaded();
    return Link.open(kernel);
  }

  /** @param {NotebookPanel} notebook Its comm ends with its kernel. */
  watch(notebook) {
    if (this.watched.has(notebook)) return;
    this.watched.add(notebook);
    const drop = (/** @type {"end" | "close"} */ how) => {
      const opening = this.links.get(notebook);
      this.links.delete(notebook);
      // One that is still opening is of the kernel that is gone, too.
      opening?.then(link => link[how](), () => {});
    };
    notebook.sessionContext.kernelChanged.connect((
      /** @type {SessionContext} */ _, /** @type {KernelChange} */ { oldValue }) => {
      // What is opening while a notebook gets its first kernel waits for that one.
      if (oldValue) drop("end");
    });
    notebook.sessionContext.statusChanged.connect((
      /** @type {SessionContext} */ _, /** @type {string} */ status) => {
      if (GONE.includes(status)) drop("end");
    });
    notebook.disposed.connect(() => drop("close"));
  }
}
