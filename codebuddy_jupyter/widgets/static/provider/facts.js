/** The facts about the provider: its state, where requests go, and the field for a key. */

/** @import { StateMessage } from "../protocol.js" */

import { make, button } from "../shared/elements.js";
import { showProblem, shownOnce } from "../shared/problems.js";

/** Shows what the kernel knows of the provider. */
export class Facts {
  /** @param {(key: string) => void} sendKey Called with a key, or an empty text. */
  constructor(sendKey) {
    this.sendKey = sendKey;
    this.dot = make("span", { className: "cb-dot", aria: { hidden: "true" } });
    this.title = make("span", { className: "cb-title" });
    this.where = make("span", { className: "cb-where" });
    this.trouble = make("div", { className: "cb-wrong" });
    this.facts = make("dl", { className: "cb-facts" });
    const state = make("div", { className: "cb-state" },
      this.dot, make("span", { className: "cb-hidden" }, "The provider is "),
      this.title, this.where);
    const status = make("div", { aria: { role: "status" } }, state, this.trouble);
    this.key = make("input", {
      type: "password",
      autocomplete: "off",
      spellcheck: false,
      aria: { label: "API key" },
      on: { keydown: (/** @type {Event} */ event) => event.stopPropagation() },
    });
    this.keyState = make("span");
    this.keyPart = make("details", { hidden: true },
      make("summary", {}, "API key: ", this.keyState), this.keyForm());
    this.node = make("div", { className: "cb-provider" }, status, this.facts, this.keyPart);
  }

  keyForm() {
    const submit = (/** @type {Event} */ event) => this.submit(event);
    const remove = () => this.sendKey("");
    return make("form", { className: "cb-key", on: { submit } },
      this.key,
      make("button", { type: "submit" }, "Save key"),
      button("Remove key", remove, "Remove the stored key"));
  }

  /** @param {Event} event */
  submit(event) {
    event.preventDefault();
    const { value: key } = this.key;
    this.key.value = "";
    if (key.trim()) this.sendKey(key);
  }

  /** @param {StateMessage} state */
  show({ dot, title, where, trouble, facts = [], key }) {
    this.dot.className = `cb-dot cb-${dot}`;
    this.title.textContent = title ?? "";
    this.where.textContent = where ?? "";
    showProblem(this.trouble, shownOnce(this.trouble, trouble));
    this.facts.replaceChildren(...facts.flatMap(([label, text]) =>
      [make("dt", {}, label), make("dd", {}, text)]));
    this.facts.hidden = !facts.length;
    this.keyPart.hidden = !key;
    this.keyState.textContent = key?.text ?? "";
    if (key?.needed) this.keyPart.open = true;
  }
}
