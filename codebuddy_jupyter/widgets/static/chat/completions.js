/** The list of completions above the composer. */

/** @import { OfferFields } from "../protocol.js" */

import { make } from "../shared/elements.js";
import { panelOf } from "../shared/problems.js";

/** Pixels of the list at most. */
const MOST_LIST = 240;

/** Shows names and what each is; one is marked. Says which is picked. */
export class Completions {
  /** @type {OfferFields[]} */
  offers = [];
  marked = 0;

  /**
   * @param {HTMLTextAreaElement} area Where the words are typed.
   * @param {string} id Of the list's element.
   * @param {(name: string) => void} onPick
   */
  constructor(area, id, onPick) {
    this.area = area;
    this.onPick = onPick;
    const aria = { role: "listbox", label: "Completions" };
    this.node = make("ul", { className: "cb-offers", hidden: true, id, aria });
  }

  get isOpen() {
    return this.offers.length > 0;
  }

  /** @param {OfferFields[]} offers None to close the list. */
  show(offers) {
    this.offers = offers;
    this.marked = 0;
    this.node.hidden = !this.isOpen;
    if (this.isOpen) this.node.style.maxHeight = `${this.room()}px`;
    this.node.replaceChildren(...offers.map((offer, index) => this.item(offer, index)));
    this.mark();
  }

  close() {
    this.show([]);
  }

  /** @returns {number} The pixels above the composer, since the panel cuts off the rest. */
  room() {
    const top = panelOf(this.area)?.getBoundingClientRect().top ?? 0;
    return Math.min(MOST_LIST, this.area.getBoundingClientRect().top - top - 12);
  }

  /** @param {OfferFields} offer @param {number} index */
  item({ name, about }, index) {
    const onPress = (/** @type {Event} */ event) => {
      // Or the composer would lose the focus.
      event.preventDefault();
      this.onPick(name);
    };
    const id = `${this.node.id}-${index}`;
    return make("li", { id, title: about, aria: { role: "option" }, on: { mousedown: onPress } },
      make("span", { className: "cb-offer" }, name), make("span", { className: "cb-about" }, about));
  }

  mark() {
    for (const [index, item] of [...this.node.children].entries()) {
      item.setAttribute("aria-selected", String(index === this.marked));
    }
    const marked = this.node.children[this.marked];
    if (marked) this.area.setAttribute("aria-activedescendant", marked.id);
    else this.area.removeAttribute("aria-activedescendant");
    marked?.scrollIntoView?.({ block: "nearest" });
  }

  /** @param {number} step */
  move(step) {
    const { length } = this.offers;
    this.marked = (this.marked + step + length) % length;
    this.mark();
  }

  /**
   * @param {string} key
   * @param {boolean} isPlain Without Shift and the like.
   * @returns {(() => void) | null} What the key does while the list is open.
   */
  actionFor(key, isPlain) {
    if (key === "ArrowDown") return () => this.move(1);
    if (key === "ArrowUp") return () => this.move(-1);
    if (key === "Escape") return () => this.close();
    const picks = isPlain && (key === "Enter" || key === "Tab");
    return picks ? () => this.onPick(this.offers[this.marked].name) : null;
  }
}
