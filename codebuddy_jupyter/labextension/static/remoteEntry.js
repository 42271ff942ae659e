/**
 * The door of the extension, which JupyterLab loads as it loads the result of a build.
 * All else is plain ES modules beside it.
 */
(() => {
  const name = "codebuddy-jupyter";
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const folder = new URL(".", script.src).href;
  // Fetched while JupyterLab still loads other extensions.
  const plugin = import(`${folder}plugin.js`);
  /** @type {import("./lab.js").SharedScope} */
  let scope = {};
  const page = /** @type {any} */ (window);
  page._JUPYTERLAB ??= {};
  page._JUPYTERLAB[name] = {
    init(/** @type {import("./lab.js").SharedScope} */ shared) {
      scope = shared;
    },
    async get() {
      const { extension } = await plugin;
      const module = { __esModule: true, default: await extension(scope) };
      return () => module;
    },
  };
})();
