/** Drawing Markdown: with the front end's renderer, or else as plain text. */

/** @import { AnyModel } from "@anywidget/types" */

import { make } from "../shared/elements.js";

/**
 * @typedef {() => void} CleanUp
 * @typedef {(host: HTMLElement, markdown: string) => Promise<CleanUp>} Painter
 *   Draws Markdown in an element.
 */

/** What draws Markdown in VS Code's notebooks. */
const VSCODE_RENDERER = "vscode.markdown-it-renderer";
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
 * @returns {Painter} The front end's renderer, if a widget can have it; else one that
 *   shows plain text with code in boxes.
 */
export function painterOf(model) {
  const vsCode = /** @type {any} */ (globalThis).jupyter_vscode_rendererContext;
  if (typeof vsCode?.getRenderer === "function") return vsCodePainter(vsCode);
  const { rendermime } = frontEnd(model);
  // Without a parser, the renderer would show each paragraph as code.
  if (!rendermime?.markdownParser) return paintPlainly;
  return (host, markdown) => paintByRendermime(rendermime, host, markdown);
}

/**
 * @param {any} rendermime
 * @param {HTMLElement} host
 * @param {string} markdown
 * @returns {Promise<CleanUp>}
 */
async function paintByRendermime(rendermime, host, markdown) {
  const renderer = rendermime.createRenderer("text/markdown");
  const data = { "text/markdown": markdown };
  await renderer.renderModel({ trusted: false, data, metadata: {}, setData() {} });
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
}

/**
 * VS Code's renderer is asked for directly: the rendermime of its widgets hands each text
 * to it as JSON, in quotes.
 * @param {any} context VS Code's, from which renderers get others.
 * @returns {Painter}
 */
function vsCodePainter(context) {
  const found = Promise.resolve(context.getRenderer(VSCODE_RENDERER)).catch(() => null);
  return async (host, markdown) => {
    const renderer = await found;
    if (!renderer) return paintPlainly(host, markdown);
    // It draws again in the shadow root that it has made.
    const earlier = host.querySelector(".cb-shadow");
    const node = earlier ?? make("div", { className: "cb-shadow" });
    const text = () => markdown;
    const item = { id: "codebuddy", mime: "text/markdown", metadata: {}, text };
    try {
      await renderer.renderOutputItem(item, node);
    } catch {
      return paintPlainly(host, markdown);
    }
    if (!earlier) host.replaceChildren(node);
    return () => {};
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
