/** The provider in the page; each place of the panel shows another part of it. */

/** @import { AnyModel } from "@anywidget/types" */
/** @import { ProviderRequest, StateMessage } from "../protocol.js" */

import { Facts } from "./facts.js";
import { Findings } from "./findings.js";
import { offerAll } from "./model_list.js";
import { Summary } from "./summary.js";

/** Shows the part for its place, which is known once it is in the page. */
class ProviderView {
  /** @type {Facts | Findings | Summary | null} */
  part = null;
  /** @type {StateMessage | null} */
  latest = null;
  isClosed = false;

  /** @param {AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.receive = (/** @type {StateMessage} */ message) => this.show(message);
    model.on("msg:custom", this.receive);
    this.send({ type: "ready" });
  }

  close() {
    this.isClosed = true;
    this.model.off("msg:custom", this.receive);
  }

  /** @param {ProviderRequest} message */
  send(message) {
    this.model.send(message);
  }

  /** @param {StateMessage} state */
  async show(state) {
    this.latest = state;
    while (!this.el.isConnected) {
      if (this.isClosed) return;
      await new Promise(resolve => { requestAnimationFrame(resolve); });
    }
    if (state !== this.latest) return;
    this.part ??= this.newPart();
    this.part.show(state);
  }

  newPart() {
    const part = this.partFor(this.el);
    this.el.append(part.node);
    return part;
  }

  /** @param {HTMLElement} el */
  partFor(el) {
    if (el.closest(".codebuddy-found")) return new Findings();
    const settings = el.closest(".codebuddy-settings");
    if (settings) {
      offerAll(settings);
      // A key goes to the kernel once, in a message.
      return new Facts(key => this.send({ type: "key", key }));
    }
    el.classList.add("cb-summary-place");
    return new Summary(model => this.send({ type: "use", model }));
  }
}

export default {
  /** @param {{ model: AnyModel, el: HTMLElement }} context */
  render({ model, el }) {
    const view = new ProviderView(model, el);
    return () => view.close();
  },
};
