/** Elements of the page, and the clipboard. */

/**
 * Make an element. What comes from the kernel is set as text, never as HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ [name: string]: any }} [properties] `aria` holds attributes and the role,
 *   `on` listeners; all others are properties of the element.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { aria = {}, on = {}, ...own } = properties;
  Object.assign(element, own);
  for (const [name, value] of Object.entries(aria)) {
    element.setAttribute(name === "role" ? name : `aria-${name}`, value);
  }
  for (const [name, listener] of Object.entries(on)) {
    element.addEventListener(name, listener);
  }
  element.append(...children);
  return element;
}

/**
 * Make a button.
 * @param {string} text
 * @param {() => void} act
 * @param {string} [label] Its name, if the text alone says too little.
 */
export function button(text, act, label = text) {
  const properties = { type: "button", title: label, aria: { label }, on: { click: act } };
  return make("button", properties, text);
}

/**
 * Copy a text to the clipboard.
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
}

/**
 * Copy a text in pages without a secure context or the permission for the clipboard.
 * @param {string} text
 */
function copyBySelection(text) {
  const area = make("textarea", { value: text, className: "cb-hidden" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
