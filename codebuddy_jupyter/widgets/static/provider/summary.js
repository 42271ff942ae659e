/** The provider in one line: its state, its model, and where requests go. */

/** @import { StateMessage } from "../protocol.js" */

import { make } from "../shared/elements.js";

const AUTOMATIC = "chosen automatically";
const FOLDERS = /^(\/|~|[a-z]:\\).*[\\/]/i;

/** Shows the line; another model is chosen in it. */
export class Summary {
  /** @param {(model: string) => void} use Called with the model that the user chooses. */
  constructor(use) {
    this.dot = make("span", { className: "cb-dot", aria: { hidden: "true" } });
    this.name = make("span", { className: "cb-name" });
    this.state = make("span", { className: "cb-hidden", aria: { role: "status" } });
    this.choice = make("select", {
      className: "cb-model",
      aria: { label: "Model in use" },
      on: { change: () => use(this.choice.value) },
    });
    this.brief = make("span", { className: "cb-brief" });
    this.node = make("div", { className: "cb-summary" },
      this.dot, this.name, this.state, this.choice, this.brief);
  }

  /** @param {StateMessage} state */
  show({ dot, title = "", name = "", model = "", models = [], brief = "" }) {
    this.dot.className = `cb-dot cb-${dot}`;
    this.dot.title = title;
    this.name.textContent = name;
    this.state.textContent = title;
    this.brief.textContent = dot === "reachable" ? brief : title;
    const names = models.includes(model) ? models : [model, ...models];
    this.choice.replaceChildren(...names.map(value =>
      make("option", { value, title: value }, value.replace(FOLDERS, "") || AUTOMATIC)));
    this.choice.value = model;
    this.choice.disabled = names.length < 2;
  }
}
