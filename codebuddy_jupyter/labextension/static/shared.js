/** Modules that JupyterLab shares with its extensions. */

/** @import { SharedScope } from "./lab.js" */

/**
 * @param {SharedScope} scope
 * @param {string} name Such as `@lumino/widgets`.
 * @returns {Promise<any>} The module; an empty one if this front end does not have it.
 */
export async function sharedModule(scope, name) {
  const versions = Object.values(scope[name] ?? {});
  // JupyterLab's own, and not one that another extension brings along.
  const module = versions.find(version => version.eager || version.loaded) ?? versions[0];
  if (!module) return {};
  const factory = await module.get();
  return factory();
}
