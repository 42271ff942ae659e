/** Elements of the page. */

/**
 * Make an element. Text is set as text, never as HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
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
  const made = make("button", "cb-button", text);
  made.type = "button";
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

/** Load the styles of the extension, once. */
export function loadStyles() {
  const href = new URL("./style.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}

/** Milliseconds until an element that did not come counts as failed. */
const APPEAR_TIME = 30000;

/**
 * @param {HTMLElement} node
 * @param {string} selector
 * @returns {Promise<boolean>} Whether such an element is there, or comes in time.
 */
export function appears(node, selector) {
  if (node.querySelector(selector)) return Promise.resolve(true);
  return new Promise(resolve => {
    const end = (/** @type {boolean} */ found) => {
      observer.disconnect();
      clearTimeout(timer);
      resolve(found);
    };
    const observer = new MutationObserver(() => {
      if (node.querySelector(selector)) end(true);
    });
    const timer = setTimeout(() => end(false), APPEAR_TIME);
    observer.observe(node, { childList: true, subtree: true });
  });
}
