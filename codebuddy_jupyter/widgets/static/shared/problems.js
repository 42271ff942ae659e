/** Errors with their remedies: a button where the panel can do it, else what to type. */

/** @import { Problem, RemedyFields } from "../protocol.js" */

import { make, button, copy } from "./elements.js";

/** The event by which a button has the chat of its panel run a command. */
export const RUN = "codebuddy-run";
/** A word in capitals, such as NAME, which the user replaces. */
const PLACEHOLDER = /(^|[\s/])(N|[A-Z]{3,})(\.\w+)?(\s|$)/;
const SETTING = /^%config (\w+)\.(\w+)/;
/** Milliseconds between two checks for a field, and the number of checks. */
const CHECK_INTERVAL = 100;
const MOST_CHECKS = 50;

/**
 * Show an error or a plain line in an element, and hide the element if there is none.
 * @param {HTMLElement} host
 * @param {string | Problem | null | undefined} problem
 */
export function showProblem(host, problem) {
  host.replaceChildren(...(problem ? problemNodes(host, problem) : []));
  host.hidden = !problem;
}

/**
 * @param {HTMLElement} host An element of the panel.
 * @param {string | Problem} problem
 * @returns {(Node | string)[]}
 */
export function problemNodes(host, problem) {
  if (typeof problem === "string") return [problem];
  const remedies = problem.remedies.map(remedy => remedyNode(host, remedy));
  return [make("span", {}, problem.what), ...remedies];
}

/**
 * An error for another place than the conversation, which has the buttons once.
 * @param {HTMLElement} host An element of the panel.
 * @param {string | Problem | null | undefined} problem
 * @returns {string | Problem | null | undefined} Without what can be done about it, if
 *   the last answer shows that.
 */
export function shownOnce(host, problem) {
  if (!problem || typeof problem === "string") return problem;
  const shown = panelOf(host)?.querySelectorAll(".cb-turn .cb-error:not([hidden]) > span");
  const last = [...shown ?? []].pop();
  return last?.textContent === problem.what ? problem.what : problem;
}

/**
 * @param {HTMLElement} host An element of the panel.
 * @param {RemedyFields} remedy
 */
export function remedyNode(host, { text, command }) {
  const node = make("div", { className: "cb-remedy" });
  const act = actionFor(host, command);
  if (act) node.append(button(text, act, `${text}: ${command}`));
  else if (command) node.append(`${text}: `, ...copyable(command));
  else node.append(text);
  return node;
}

/** @param {string} command */
function copyable(command) {
  const copyButton = button("Copy", () => copy(command), `Copy the command ${command}`);
  return [make("code", {}, command), " ", copyButton];
}

/**
 * @param {HTMLElement} host
 * @param {string} command
 * @returns {(() => void) | null} What a button does for the command, if it can.
 */
function actionFor(host, command) {
  if (command.startsWith("%buddy /") && !PLACEHOLDER.test(command)) {
    const detail = command.replace("%buddy ", "");
    return () => host.dispatchEvent(new CustomEvent(RUN, { bubbles: true, composed: true, detail }));
  }
  const [, owner, name] = SETTING.exec(command) ?? [];
  const panel = owner && panelOf(host);
  if (!panel || !panel.querySelector(`.codebuddy-owner-${owner}`)) return null;
  return () => focusSetting(panel, `.codebuddy-setting-${owner}-${name}`);
}

/**
 * @param {Element} element
 * @returns {HTMLElement | null}
 */
export function panelOf(element) {
  return element.closest(".codebuddy-panel");
}

/**
 * Put the focus on the field of a setting; unfold the settings for that, if need be.
 * @param {HTMLElement} panel
 * @param {string} selector
 */
async function focusSetting(panel, selector) {
  const find = (/** @type {string} */ css) =>
    /** @type {HTMLElement | null} */ (panel.querySelector(css));
  const field = () => find(`${selector} :is(input, select, textarea)`);
  if (!isVisible(find(".codebuddy-settings"))) find(".codebuddy-fold")?.click();
  await until(() => isVisible(find(".codebuddy-more")));
  if (!isVisible(field())) find(".codebuddy-more")?.click();
  await until(() => isVisible(field()));
  field()?.focus();
}

/** @param {HTMLElement | null} element */
function isVisible(element) {
  return Boolean(element?.getClientRects().length);
}

/**
 * Wait until something holds, for a few seconds at most: the kernel makes the fields.
 * @param {() => boolean} holds
 */
async function until(holds) {
  for (let checks = 0; checks < MOST_CHECKS && !holds(); checks += 1) {
    await new Promise(resolve => { setTimeout(resolve, CHECK_INTERVAL); });
  }
}
