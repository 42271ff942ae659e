/** How much of the context window the next question takes, and what it would send. */

/** @import { MeasuredMessage, SectionFields, UnmeasuredMessage } from "../protocol.js" */
/** @import { CleanUp } from "./markdown.js" */
/** @import { Chat } from "./view.js" */

import { make, button } from "../shared/elements.js";
import { showProblem, shownOnce } from "../shared/problems.js";

/** Milliseconds without a key after which the meter measures again. */
const QUIET_TIME = 600;

/** A gauge; unfolded, what would be sent, and which sections of the notebook may be. */
export class Meter {
  /** The newest preview of what would be sent. */
  newest = "";
  /** The notebook as the kernel has it, as JSON. */
  sentCells = "";
  isStale = false;
  isSeen = false;
  /** Whether the user chose sections after the last measure. */
  isChosen = false;
  timer = 0;
  /** @type {CleanUp} */
  cleanUp = () => {};

  /** @param {Chat} chat @param {HTMLElement} el The panel; out of view, nothing is measured. */
  constructor(chat, el) {
    this.chat = chat;
    const id = `cb-meter-${chat.view}`;
    this.bar = make("span", { className: "cb-gauge", aria: { hidden: "true" } });
    this.label = make("span");
    this.button = button("", () => this.unfold(), "What the next question sends");
    this.button.className = "cb-meter";
    this.button.setAttribute("aria-controls", id);
    this.button.setAttribute("aria-expanded", "false");
    this.button.append(this.bar, this.label);
    this.button.hidden = true;
    this.ahead = make("span", { className: "cb-ahead", hidden: true });
    this.sections = make("fieldset", {}, make("legend", {}, "Parts of the notebook to send"));
    this.error = make("div", { className: "cb-wrong", hidden: true });
    const aria = { role: "region", label: "What would be sent" };
    this.preview = make("div", { className: "cb-blocks cb-preview", tabIndex: 0, aria });
    this.node = make("div", { className: "cb-sends", id, hidden: true },
      this.sections, this.error, this.preview);
    this.watcher = new IntersectionObserver(entries =>
      this.onSeen(entries.some(entry => entry.isIntersecting)));
    this.watcher.observe(el);
  }

  close() {
    clearTimeout(this.timer);
    this.watcher.disconnect();
    this.cleanUp();
  }

  /** @param {boolean} isSeen Whether the panel is in view; if not, nothing is measured. */
  onSeen(isSeen) {
    this.isSeen = isSeen;
    if (isSeen && this.isStale) this.soon();
  }

  /** Measure again once the user stops typing. */
  soon() {
    this.isStale = true;
    clearTimeout(this.timer);
    if (this.isSeen) this.timer = window.setTimeout(() => this.measure(), QUIET_TIME);
  }

  measure() {
    clearTimeout(this.timer);
    if (this.chat.isAnswering) return;
    this.isStale = false;
    this.isChosen = false;
    const cells = this.chat.notebook.cells();
    const text = this.chat.composer.area.value;
    const full = !this.node.hidden;
    const json = JSON.stringify(cells);
    if (json === this.sentCells) this.chat.send({ type: "measure", text, full });
    else this.chat.send({ type: "measure", text, full, cells });
    this.sentCells = json;
  }

  unfold() {
    this.node.hidden = !this.node.hidden;
    this.button.setAttribute("aria-expanded", String(!this.node.hidden));
    if (!this.node.hidden) this.measure();
  }

  /** @param {MeasuredMessage} message */
  async show({ tokens, window: size, assumed, parts, sections, preview }) {
    const limit = `${assumed ? "an assumed " : ""}${size.toLocaleString("en")}`;
    const label = `${tokens.toLocaleString("en")} of ${limit} tokens`;
    this.showSummary(label, sections);
    showProblem(this.error, null);
    this.bar.replaceChildren(...parts.map(([name, count], index) =>
      make("span", {
        title: `${name}: ${count}`,
        className: `cb-part cb-part-${index % 4}`,
        style: `width: ${Math.min(100, 100 * count / size)}%`,
      })));
    this.button.title = parts.map(([name, count]) => `${name}: ${count}`).join("\n");
    if (preview) await this.showPreview(preview);
  }

  /** @param {number} tokens How many the model has read before the question. */
  showAhead(tokens) {
    this.ahead.hidden = !tokens;
    this.ahead.textContent = `read ahead: ${tokens.toLocaleString("en")} tokens`;
  }

  /** @param {UnmeasuredMessage} message */
  showError({ error, sections }) {
    this.showSummary("cannot be sent", sections);
    showProblem(this.error, shownOnce(this.error, error));
    this.bar.replaceChildren();
    this.button.title = error.what;
  }

  /** @param {string} label @param {SectionFields[]} sections */
  showSummary(label, sections) {
    this.button.hidden = false;
    this.label.textContent = label;
    this.button.setAttribute("aria-label", `What the next question sends: ${label}`);
    if (!this.isChosen) this.showSections(sections);
  }

  /** @param {string} preview Markdown; open details stay open. */
  async showPreview(preview) {
    this.newest = preview;
    const host = make("div");
    const cleanUp = await this.chat.paint(host, preview);
    if (this.newest !== preview) {
      // A newer one was drawn meanwhile.
      cleanUp();
      return;
    }
    this.cleanUp();
    this.cleanUp = cleanUp;
    const open = [...this.preview.querySelectorAll("details")].map(details => details.open);
    this.preview.replaceChildren(host);
    for (const [index, details] of [...host.querySelectorAll("details")].entries()) {
      details.open = open[index] ?? false;
    }
  }

  /** @param {SectionFields[]} sections */
  showSections(sections) {
    const boxes = sections.map(({ name, sent, tokens }) => {
      const on = { change: () => this.choose() };
      const box = make("input", { type: "checkbox", checked: sent, value: name, on });
      return make("label", {}, box, tokens ? `${name} ${tokens.toLocaleString("en")}` : name);
    });
    const focused = this.boxes().find(box => box === document.activeElement)?.value;
    this.sections.replaceChildren(this.sections.children[0], ...boxes);
    this.boxes().find(box => box.value === focused)?.focus();
  }

  boxes() {
    return [...this.sections.querySelectorAll("input")];
  }

  choose() {
    this.isChosen = true;
    this.soon();
    const chosen = this.boxes().filter(box => box.checked);
    this.chat.send({ type: "sections", sections: chosen.map(box => box.value) });
  }
}
