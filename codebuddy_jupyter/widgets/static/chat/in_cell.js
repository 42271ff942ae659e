/** What JupyterLab's extension does for a card in a cell: it shows a change there, or runs it. */

/** The events by which a panel has it do that. */
const SHOW_PROPOSED = "codebuddy-show-proposed";
const RUN_CELL = "codebuddy-run-cell";

/** @typedef {{ text: string, label: string, act: () => void }} Decision A button. */

/** The cell of a card, with what can be decided there: what can be decided on the card. */
export class InCell {
  /** @type {Decision[]} */
  decisions = [];
  /** Ends what is shown. */
  shown = new AbortController();

  /** @param {HTMLElement} node Of the card. */
  constructor(node) {
    this.node = node;
  }

  /** @param {{ cell: string, source: string, code: string, title: string }} change */
  show(change) {
    this.shown.abort();
    this.shown = new AbortController();
    const { decisions, shown: { signal } } = this;
    this.fire(SHOW_PROPOSED, { ...change, decisions, signal });
  }

  /** @param {string} cell Its id. @param {string} source @param {() => void} done */
  run(cell, source, done) {
    this.fire(RUN_CELL, { cell, source, done });
  }

  /** Show nothing, of which nothing can be decided. */
  clear() {
    this.shown.abort();
    this.decisions = [];
  }

  /** @param {string} name @param {object} detail */
  fire(name, detail) {
    this.node.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}
