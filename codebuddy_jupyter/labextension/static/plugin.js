/**
 * The plugin: a place in the sidebar, commands, and buttons at errors. What they do is
 * loaded when they are first used.
 */

/** @import { App, Lab, MimeModel, RenderMime, SharedScope, Tracker } from "./lab.js" */
/** @import { InlineCompletions } from "./completion.js" */
/** @import { Editor } from "./editor.js" */

import { Links } from "./links.js";
import { sharedModule } from "./shared.js";

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2h-8l-5 4v-4H4a2
  2 0 0 1-2-2V5a2 2 0 0 1 2-2zm5.3 3.8L5.6 10.500l3.700 3.700 1.400-1.400-2.300-2.300
  2.300-2.300zm5.400 0-1.400 1.400 2.300 2.300-2.300 2.300 1.400 1.400 3.700-3.700z"/></svg>`;
const ERROR = "application/vnd.jupyter.error";
/** Also the name of its settings. */
const ID = "codebuddy-jupyter:plugin";
/** Before JupyterLab's own renderer of errors, which has 110. */
const ERROR_RANK = 100;
const SIDEBAR_RANK = 950;
const TASKS = /** @type {const} */ ({
  ask: "Ask about this cell",
  explain: "Explain this cell",
  refactor: "Refactor this cell",
  document: "Document this cell",
  test: "Write tests for this cell",
});

/**
 * @param {SharedScope} scope
 * @returns {Promise<object>} What JupyterLab activates.
 */
export async function extension(scope) {
  const names = [
    "notebook", "rendermime", "apputils", "launcher", "ui-components", "completer",
    "application", "settingregistry",
  ];
  const modules = names.map(name => sharedModule(scope, `@jupyterlab/${name}`));
  const lumino = sharedModule(scope, "@lumino/widgets");
  const [notebook, rendermime, apputils, launcher, ui, completer, application, settings] =
    await Promise.all(modules);
  const { Notification, ICommandPalette } = apputils;
  const { NotebookActions: actions } = notebook;
  const page = { lumino: await lumino, actions, Notification, LabIcon: ui.LabIcon };
  return {
    id: ID,
    description: "The panel of codebuddy in the sidebar, and what it does in cells.",
    autoStart: true,
    requires: [notebook.INotebookTracker, rendermime.IRenderMimeRegistry],
    // Notebook 7 has no launcher.
    optional: [
      ICommandPalette,
      completer.ICompletionProviderManager,
      application.ILayoutRestorer,
      settings.ISettingRegistry,
      launcher.ILauncher,
    ].filter(Boolean),
    activate: (/** @type {any[]} */ ...services) => activate(page, services),
  };
}

/**
 * @param {any} page
 * @param {any[]} services
 */
function activate({ lumino, actions, Notification, LabIcon }, services) {
  const [app, tracker, rendermime, palette, completions, restorer, registry, launcher] = services;
  const icon = new LabIcon({ name: "codebuddy:icon", svgstr: ICON });
  const notify = (/** @type {string} */ text) => Notification.warning(text, { autoClose: 8000 });
  // Read when it is needed, so that a page does not wait for it.
  const setting = async (/** @type {string} */ name) => {
    // A server that does not know the extension has no settings of it.
    const settings = await registry?.load(ID).catch(() => null);
    return settings?.get(name).composite;
  };
  /** @type {Lab} */
  const lab = { app, tracker, lumino, links: new Links(), actions, notify, setting };
  const sidebar = new lumino.Panel();
  sidebar.id = "codebuddy-sidebar";
  sidebar.title.caption = "codebuddy";
  sidebar.title.icon = icon;
  /** @type {Promise<Editor> | null} */
  let loading = null;
  const load = () => {
    if (loading) return loading;
    // The connection to the kernel is opened meanwhile; what keeps it is said later.
    if (tracker.currentWidget) lab.links.of(tracker.currentWidget).catch(() => {});
    loading = import("./editor.js").then(module => new module.Editor(lab, sidebar));
    return loading;
  };
  sidebar.onAfterShow = () => load().then(editor => editor.sidebar.follow());
  app.shell.add(sidebar, "right", { rank: SIDEBAR_RANK });
  // If it was open, it is again after a reload of the page.
  restorer?.add(sidebar, sidebar.id);
  addCommands(app, tracker, load, icon);
  addEntries(palette, launcher);
  completions?.registerInlineProvider(inlineProvider(lab.links));
  rendermime.addFactory(errorFactory(rendermime, lab, load), ERROR_RANK);
  // The panel shows the buttons of these events where this is set, and fires them.
  document.body.dataset.codebuddyEditor = "";
  document.addEventListener("codebuddy-apply", event =>
    load().then(editor => editor.apply(/** @type {CustomEvent} */ (event))));
  document.addEventListener("codebuddy-run-cell", event =>
    load().then(editor => editor.runCell(/** @type {CustomEvent} */ (event))));
  document.addEventListener("codebuddy-show-proposed", event =>
    load().then(editor => editor.showProposed(/** @type {CustomEvent} */ (event))));
}

/**
 * @param {App} app
 * @param {Tracker} tracker
 * @param {() => Promise<Editor>} load
 * @param {unknown} icon
 */
function addCommands({ commands }, tracker, load, icon) {
  commands.addCommand("codebuddy:open", {
    label: "Open codebuddy",
    caption: "Ask codebuddy about this notebook",
    icon,
    execute: async () => (await load()).open(),
  });
  for (const [task, label] of Object.entries(TASKS)) {
    commands.addCommand(`codebuddy:${task}`, {
      label,
      icon: task === "ask" ? icon : undefined,
      isEnabled: () => tracker.currentWidget?.content.activeCell?.model.type === "code",
      execute: async () => (await load()).runTask(task),
    });
  }
}

/**
 * Completion while typing, whose code is loaded with the first key.
 * @param {Links} links
 */
function inlineProvider(links) {
  /** @type {Promise<InlineCompletions> | null} */
  let loading = null;
  const load = () => {
    loading ??= import("./kernel_completion.js")
      .then(module => module.inlineCompletions(links));
    return loading;
  };
  return {
    name: "codebuddy",
    identifier: "codebuddy",
    // JupyterLab's own delay would let a request go on while the user types.
    schema: {
      default: { enabled: true, debouncerDelay: 0, timeout: 40_000, autoFillInMiddle: true },
    },
    configure() {},
    async fetch(/** @type {any} */ request, /** @type {any} */ context) {
      return (await load()).fetch(request, context);
    },
    async *stream(/** @type {string} */ token) {
      yield* (await load()).stream(token);
    },
  };
}

/** @param {any} palette @param {any} launcher */
function addEntries(palette, launcher) {
  const category = "codebuddy";
  for (const name of ["open", ...Object.keys(TASKS)]) {
    palette?.addItem({ command: `codebuddy:${name}`, category });
  }
  launcher?.add({ command: "codebuddy:open", category: "Other", rank: 10 });
}

/**
 * @param {RenderMime} rendermime
 * @param {Lab} lab
 * @param {() => Promise<Editor>} load
 */
function errorFactory(rendermime, lab, load) {
  return {
    safe: true,
    mimeTypes: [ERROR],
    createRenderer(/** @type {object} */ options) {
      const output = /** @type {any} */ (new lab.lumino.Panel());
      const loadErrors = import("./errors.js");
      output.renderModel = async (/** @type {MimeModel} */ model) => {
        const { renderError } = await loadErrors;
        await renderError({ output, model, options, rendermime, lab, load });
      };
      return output;
    },
  };
}
