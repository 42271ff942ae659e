/** Drawing Markdown: with the front end's renderer, or else as plain text. */

/** @import { AnyModel } from "@anywidget/types" */

import { make } from "../shared/elements.js";

/**
 * @typedef {() => void} CleanUp
 * @typedef {(host: HTMLElement, markdown: string) => Promise<CleanUp>} Painter
 *   Draws Markdown in an element.
 */

/** A fenced block: its fence, its language and its code. */
const FENCED =
  /^ *(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n]*\n([\s\S]*?)(?:^ *\1[`~]*[ \t]*$|$(?![\s\S]))/m;
const ENTITIES = /** @type {{ [name: string]: string }} */ (
  { "&lt;": "<", "&gt;": ">", "&amp;": "&" });

/**
 * @param {AnyModel} model
 * @returns {any} What the front end offers beside the widgets; it is not documented.
 */
export function frontEnd(model) {
  return model.widget_manager ?? {};
}

/**
 * @param {AnyModel} model
 * @returns {Painter} The front end's renderer, which sanitises once more, if a widget
 *   can have it; else one that shows plain text with code in boxes.
 */
export function painterOf(model) {
  const { rendermime } = frontEnd(model);
  if (typeof rendermime?.createRenderer !== "function") return paintPlainly;
  return async (host, markdown) => {
    const renderer = rendermime.createRenderer("text/markdown");
    const data = { "text/markdown": markdown };
    await renderer.renderModel({ trusted: false, data, metadata: {}, setData() {} });
    // Without a parser, the renderer would show each paragraph as code.
    if (!rendermime.markdownParser && !hasShadow(renderer.node)) {
      renderer.dispose();
      return paintPlainly(host, markdown);
    }
    host.replaceChildren(renderer.node);
    // The messages of Lumino for a widget that enters and leaves the page: the renderer
    // sets formulas then.
    const send = (/** @type {string[]} */ ...types) => {
      for (const type of types) renderer.processMessage({ type });
    };
    if (/[$\\]/.test(markdown)) send("after-attach");
    return () => {
      if (renderer.isAttached) send("before-detach", "after-detach");
      renderer.dispose();
    };
  };
}

/** @type {Painter} */
async function paintPlainly(host, markdown) {
  // The text between blocks alternates with fence, language and code of each block.
  const parts = markdown.split(FENCED);
  const nodes = [];
  for (const [index, part] of parts.entries()) {
    const className = `language-${parts[index - 1]}`;
    if (index % 4 === 0) nodes.push(make("div", { className: "cb-plain" }, unescaped(part)));
    if (index % 4 === 3) nodes.push(make("pre", {}, make("code", { className }, part)));
  }
  host.replaceChildren(...nodes.filter(node => node.textContent?.trim()));
  return () => {};
}

/** @param {Element} node */
function hasShadow(node) {
  return [node, ...node.querySelectorAll("*")].some(({ shadowRoot }) => shadowRoot);
}

/**
 * @param {Element} host
 * @returns {HTMLPreElement[]} The code in what was drawn, also in what VS Code's renderer
 *   hides in a shadow root.
 */
export function codeIn(host) {
  const found = [...host.querySelectorAll("pre")];
  for (const { shadowRoot } of host.querySelectorAll("*")) {
    if (shadowRoot) found.push(...shadowRoot.querySelectorAll("pre"));
  }
  return found;
}

/**
 * Undo how the kernel made Markdown harmless, which only a Markdown reader would undo.
 * @param {string} text
 */
function unescaped(text) {
  const withBackticks = text.replace(/<\/?code>/g, "`");
  return withBackticks.replace(/&(?:#(\d{1,7})|lt|gt|amp);/g, (entity, number) => {
    if (!number) return ENTITIES[entity];
    return String.fromCodePoint(Math.min(Number(number), 0x10ffff));
  });
}
