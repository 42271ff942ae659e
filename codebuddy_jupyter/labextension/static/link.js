/** Requests to a kernel, over a comm that works while a cell runs. */

/** @import { Comm, IOPubMessage, Kernel } from "./lab.js" */
/** @import { EditorMessage, Problem } from "./protocol.js" */

const TARGET = "codebuddy";
/** The opening of the comm is answered as a request with this id. */
const OPENING = "0";
/** Milliseconds that a kernel has to start the thread that answers while a cell runs. */
const SUBSHELL_TIME = 5000;
/** The statuses that a kernel reports itself; the Jupyter server reports all others. */
const KERNEL_STATUSES = ["starting", "busy", "idle"];

/** The kernel has not loaded codebuddy, or not any more. */
export class NotLoaded extends Error {}

/** The kernel says what is wrong, and what the user can do. */
export class Refused extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.line);
    this.problem = problem;
  }
}

/**
 * @typedef {(content: any) => void} OnPart
 * @typedef {{ resolve: OnPart, reject: (error: Error) => void, onPart?: OnPart }} Waiting
 */

/** A comm to a kernel, and the requests that wait for their answers. */
export class Link {
  ids = 0;
  /** @type {Map<string, Waiting>} */
  waiting = new Map();
  isClosed = false;

  /** @param {Comm} comm */
  constructor(comm) {
    this.comm = comm;
    /** Resolves when the kernel is gone, or has unloaded codebuddy. */
    this.ended = new Promise(resolve => { this.onEnd = resolve; });
    comm.onMsg = message => this.receive(message.content.data);
    comm.onClose = () => this.end();
  }

  /**
   * @param {Kernel} kernel
   * @returns {Promise<Link>} Rejected with `NotLoaded` if nobody answers there.
   */
  static async open(kernel) {
    const comm = kernel.createComm(TARGET);
    await kernel.info;
    if (kernel.supportsSubshells && comm.subshellStarted) {
      const late = new Promise(resolve => { setTimeout(resolve, SUBSHELL_TIME); });
      // Without it, the kernel answers once the cell has ended.
      await Promise.race([comm.subshellStarted, late]).catch(() => {});
    }
    if (comm.isDisposed) throw new NotLoaded();
    const link = new Link(comm);
    const opened = new Promise((resolve, reject) => {
      link.waiting.set(OPENING, { resolve, reject });
    });
    comm.open();
    await opened;
    link.watch(kernel);
    return link;
  }

  /**
   * Notice that another page has restarted the kernel: its messages come from another
   * process then.
   * @param {Kernel} kernel
   */
  watch(kernel) {
    let process = "";
    const look = (/** @type {unknown} */ _, /** @type {IOPubMessage} */ { header, content }) => {
      // The server sends messages of its own, such as that output comes too fast.
      if (!KERNEL_STATUSES.includes(content.execution_state ?? "")) return;
      process ||= header.session;
      if (header.session === process) return;
      this.end();
      noteRestart(kernel);
    };
    kernel.iopubMessage.connect(look);
    this.ended.then(() => kernel.iopubMessage.disconnect(look));
  }

  /**
   * Send a request.
   * @param {string} type
   * @param {object} content
   * @param {{ onPart?: OnPart, signal?: AbortSignal }} [options] `onPart` is called with
   *   each part of the answer; `signal` cancels the request.
   * @returns {Promise<any>} The result.
   */
  ask(type, content, { onPart, signal } = {}) {
    this.ids += 1;
    const id = String(this.ids);
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(new NotLoaded());
      if (signal?.aborted) return reject(signal.reason);
      this.waiting.set(id, { resolve, reject, onPart });
      signal?.addEventListener("abort", () => this.cancel(id, signal.reason), { once: true });
      this.comm.send({ ...content, type, id });
    });
  }

  /** @param {string} id @param {Error} reason */
  cancel(id, reason) {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    if (!this.comm.isDisposed) this.comm.send({ type: "cancel", id });
    waiting.reject(reason);
  }

  /** @param {EditorMessage} message */
  receive(message) {
    const waiting = this.waiting.get(message.id);
    if (!waiting) return;
    if (message.type === "part") {
      waiting.onPart?.(message.content);
      return;
    }
    this.waiting.delete(message.id);
    if (message.type === "done") waiting.resolve(message.content);
    else waiting.reject(new Refused(message.error));
  }

  /** Close the comm, if the kernel is still there. */
  close() {
    this.end();
    try {
      this.comm.close();
    } catch {
      // The connection to the kernel is closed already.
    }
  }

  /** Note that nobody answers any more. */
  end() {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const { reject } of this.waiting.values()) reject(new NotLoaded());
    this.waiting.clear();
    this.onEnd?.(undefined);
  }
}

/**
 * Have JupyterLab know of a restart by another page. It would go on to use comms and
 * subshells of the process that is gone, and its widgets would be dead.
 * @param {Kernel} kernel
 */
function noteRestart(kernel) {
  // A private method; without it, a reload of the page is needed.
  kernel._updateStatus?.("restarting");
  // The answer ends that status.
  kernel.requestKernelInfo().catch(() => {});
}
