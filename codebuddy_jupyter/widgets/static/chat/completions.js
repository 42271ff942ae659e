/** The list of completions above the composer. */

import { make } from "../shared/elements.js";

/** Shows names, of which one is marked, and says which is picked. */
export class Completions {
  /** @type {string[]} */
  names = [];
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
    return this.names.length > 0;
  }

  /** @param {string[]} names None to close the list. */
  show(names) {
    this.names = names;
    this.marked = 0;
    this.node.hidden = !this.isOpen;
    this.area.setAttribute("aria-expanded", String(this.isOpen));
    this.node.replaceChildren(...names.map((name, index) => this.item(name, index)));
    this.mark();
  }

  close() {
    this.show([]);
  }

  /** @param {string} name @param {number} index */
  item(name, index) {
    const onPress = (/** @type {Event} */ event) => {
      // Or the composer would lose the focus.
      event.preventDefault();
      this.onPick(name);
    };
    const id = `${this.node.id}-${index}`;
    return make("li", { id, aria: { role: "option" }, on: { mousedown: onPress } }, name);
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
    const { length } = this.names;
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
    return picks ? () => this.onPick(this.names[this.marked]) : null;
  }
}
