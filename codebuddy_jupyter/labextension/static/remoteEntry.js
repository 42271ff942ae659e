/**
 * The door of the extension, which JupyterLab loads as it loads the result of a build.
 * All else is plain ES modules beside it.
 */
(() => {
  const name = "codebuddy-jupyter";
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const folder = new URL(".", script.src).href;
  /** @type {import("./lab.js").SharedScope} */
  let scope = {};
  const page = /** @type {any} */ (window);
  page._JUPYTERLAB ??= {};
  page._JUPYTERLAB[name] = {
    init(/** @type {import("./lab.js").SharedScope} */ shared) {
      scope = shared;
    },
    async get() {
      const { extension } = await import(`${folder}plugin.js`);
      const module = { __esModule: true, default: await extension(scope) };
      return () => module;
    },
  };
})();
