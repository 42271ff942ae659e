/** The few interfaces of JupyterLab and Lumino that the extension uses. */

import type { Links } from "./links.js";

export interface SharedModule {
  get(): Promise<() => any>;
  eager?: boolean;
  loaded?: unknown;
}

/** Modules that JupyterLab shares, by name and version. */
export interface SharedScope {
  [name: string]: { [version: string]: SharedModule };
}

export interface Signal<Sender, Value> {
  connect(slot: (sender: Sender, value: Value) => void): boolean;
  disconnect(slot: (sender: Sender, value: Value) => void): boolean;
}

export interface LuminoWidget {
  id: string;
  node: HTMLElement;
  title: { caption: string; icon: unknown };
  isVisible: boolean;
  isDisposed: boolean;
  disposed: Signal<LuminoWidget, void>;
  parent: LuminoWidget | null;
  addClass(name: string): void;
  hasClass(name: string): boolean;
  show(): void;
  hide(): void;
  dispose(): void;
  onAfterShow(message: unknown): void;
  onAfterAttach(message: unknown): void;
}

export interface LuminoPanel extends LuminoWidget {
  addWidget(widget: LuminoWidget): void;
}

export interface Lumino {
  Widget: new (options?: { node: HTMLElement }) => LuminoWidget;
  Panel: new () => LuminoPanel;
}

export interface MimeModel {
  data: { [type: string]: any };
  metadata: object;
  trusted: boolean;
  setData(options: object): void;
}

export interface Renderer extends LuminoWidget {
  renderModel(model: MimeModel): Promise<void>;
}

export interface RenderMime {
  mimeTypes: readonly string[];
  createRenderer(type: string): Renderer;
  getFactory(type: string): { createRenderer(options: object): Renderer } | undefined;
  addFactory(factory: object, rank: number): void;
}

export interface Comm {
  subshellStarted?: Promise<void>;
  isDisposed: boolean;
  onMsg: (message: { content: { data: any } }) => void;
  onClose: (message: unknown) => void;
  open(data?: object): unknown;
  send(data: object): unknown;
  close(): unknown;
}

export interface IOPubMessage {
  header: { session: string };
  parent_header: { msg_type?: string };
  content: { execution_state?: string };
}

export interface Kernel {
  iopubMessage: Signal<Kernel, IOPubMessage>;
  info: Promise<{ language_info: { name: string } }>;
  supportsSubshells?: boolean;
  createComm(target: string): Comm;
  requestKernelInfo(): Promise<unknown>;
  _updateStatus?(status: string): void;
  requestExecute(content: object): { done: Promise<{ content: any }> };
}

export interface KernelChange {
  oldValue: Kernel | null;
  newValue: Kernel | null;
}

export interface SessionContext {
  ready: Promise<void>;
  session: { kernel: Kernel | null } | null;
  kernelChanged: Signal<SessionContext, KernelChange>;
  statusChanged: Signal<SessionContext, string>;
}

/** A cell as it is shared between pages. */
export interface SharedCell {
  id: string;
  cell_type: string;
  source: string;
  outputs?: any[];
  execution_count?: number | null;
  undoManager?: { stopCapturing(): void } | null;
  getMetadata(name: string): unknown;
  transact(change: () => void): void;
  updateSource(start: number, end: number, text: string): void;
}

export interface Position {
  line: number;
  column: number;
}

export interface CodeEditor {
  focus(): void;
  getSelection(): { start: Position; end: Position };
  getOffsetAt(position: Position): number;
}

export interface Cell extends LuminoWidget {
  model: { id: string; type: string; sharedModel: SharedCell };
  ready: Promise<void>;
  editor: CodeEditor | null;
  layout: { widgets: readonly LuminoWidget[]; insertWidget(index: number, widget: LuminoWidget): void };
}

export interface NotebookPanel extends LuminoWidget {
  content: {
    widgets: readonly Cell[];
    activeCell: Cell | null;
    activeCellIndex: number;
    rendermime: RenderMime;
    scrollToItem(index: number): Promise<void>;
    deselectAll(): void;
  };
  context: {
    path: string;
    model: { readOnly: boolean; sharedModel: { insertCell(index: number, cell: object): unknown } };
    contentsModel: { writable?: boolean } | null;
  };
  sessionContext: SessionContext;
}

export interface Tracker {
  currentWidget: NotebookPanel | null;
  currentChanged: Signal<Tracker, NotebookPanel | null>;
  find(test: (panel: NotebookPanel) => boolean): NotebookPanel | undefined;
}

export interface App {
  commands: {
    addCommand(id: string, options: object): unknown;
    execute(id: string, options?: object): Promise<unknown>;
  };
  shell: {
    add(widget: LuminoWidget, area: string, options?: object): void;
    activateById(id: string): void;
  };
}

/** JupyterLab's actions of a notebook, on the cell that is selected. */
export interface NotebookActions {
  /** Tells of each cell that has run in this page. */
  executed: Signal<unknown, { notebook: NotebookPanel["content"]; cell: Cell }>;
  run(content: NotebookPanel["content"], context: SessionContext): Promise<boolean>;
}

/** What the modules of the extension have of the page. */
export interface Lab {
  app: App;
  tracker: Tracker;
  lumino: Lumino;
  links: Links;
  actions: NotebookActions;
  /** Shows a line for a while. */
  notify(text: string): void;
  /** Gives a setting of the extension in JupyterLab; undefined where there are none. */
  setting(name: string): Promise<unknown>;
}
