/** Keys that are the panel's, and keys that are the front end's. */

import { panelOf } from "../shared/problems.js";

/** Keys of VS Code, with Ctrl: its lists of commands and files, search, and to save. */
const VSCODE_KEYS = /^[bfgjps]$/i;

/**
 * @param {KeyboardEvent} event
 * @returns {boolean} Whether a key belongs to the front end everywhere: to save, and to
 *   show all commands.
 */
export function isFrontEndKey({ key, ctrlKey, metaKey, shiftKey }) {
  const hasControl = ctrlKey || metaKey;
  if (isVsCode()) return /^F\d+$/.test(key) || (hasControl && VSCODE_KEYS.test(key));
  return hasControl && key.toLowerCase() === (shiftKey ? "c" : "s");
}

/** @returns {boolean} Whether the page is VS Code's, which marks its theme there. */
function isVsCode() {
  return "vscodeThemeKind" in document.body.dataset;
}

/** @param {KeyboardEvent} event */
export function isPlainKey(event) {
  return !(event.shiftKey || event.ctrlKey || event.altKey || event.metaKey);
}

/** @param {KeyboardEvent} event Whether an input method is at work, which has Enter. */
export function isComposed(event) {
  return event.isComposing || event.keyCode === 229;
}

/**
 * Keep JupyterLab's keys for cells away from the panel: D D on a button would delete
 * the cell. JupyterLab looks for a mark on the element with the focus, and elements of
 * ipywidgets get it here, with the key.
 * @param {KeyboardEvent} event
 */
function markElement(event) {
  const { target } = event;
  if (target instanceof HTMLElement && panelOf(target)) {
    target.toggleAttribute("data-lm-suppress-shortcuts", !isFrontEndKey(event));
  }
}

/**
 * Keep the front end's keys for cells away from all panels.
 * @returns {() => void} Ends that.
 */
export function keepKeys() {
  // A function of this chat alone, so that another chat can end its own.
  const listener = (/** @type {KeyboardEvent} */ event) => markElement(event);
  window.addEventListener("keydown", listener, true);
  return () => window.removeEventListener("keydown", listener, true);
}
