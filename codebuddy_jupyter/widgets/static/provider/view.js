/** The state of the provider: a dot, where requests go, facts, and the key's field. */

/** @import { AnyModel } from "@anywidget/types" */
/** @import { ProviderRequest, StateMessage } from "../protocol.js" */

import { make, button } from "../shared/elements.js";
import { showProblem } from "../shared/problems.js";

/** Shows what the kernel knows of the provider; a key goes to the kernel only once. */
class ProviderView {
  /** @param {AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
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
    el.append(make("div", { className: "cb-provider" }, status, this.facts, this.keyPart));
    this.receive = (/** @type {StateMessage} */ message) => this.show(message);
    model.on("msg:custom", this.receive);
    this.send({ type: "ready" });
  }

  close() {
    this.model.off("msg:custom", this.receive);
  }

  keyForm() {
    const submit = (/** @type {Event} */ event) => this.sendKey(event);
    const remove = () => this.send({ type: "key", key: "" });
    return make("form", { className: "cb-key", on: { submit } },
      this.key,
      make("button", { type: "submit" }, "Save key"),
      button("Remove key", remove, "Remove the stored key"));
  }

  /** @param {ProviderRequest} message */
  send(message) {
    this.model.send(message);
  }

  /** @param {Event} event */
  sendKey(event) {
    event.preventDefault();
    const key = this.key.value;
    this.key.value = "";
    if (key.trim()) this.send({ type: "key", key });
  }

  /** @param {StateMessage} state */
  show({ dot, title, where, trouble, facts = [], key }) {
    this.dot.className = `cb-dot cb-${dot}`;
    this.title.textContent = title ?? "";
    this.where.textContent = where ?? "";
    showProblem(this.trouble, trouble);
    this.facts.replaceChildren(...facts.flatMap(([label, text]) =>
      [make("dt", {}, label), make("dd", {}, text)]));
    this.facts.hidden = !facts.length;
    this.keyPart.hidden = !key;
    this.keyState.textContent = key?.text ?? "";
    if (key?.needed) this.keyPart.open = true;
  }
}

export default {
  /** @param {{ model: AnyModel, el: HTMLElement }} context */
  render({ model, el }) {
    const view = new ProviderView(model, el);
    return () => view.close();
  },
};
