/** Completion while typing, over comms of its own: the panel need not be open. */

/** @import { Kernel } from "./lab.js" */

import { InlineCompletions } from "./completion.js";
import { Link, NotLoaded } from "./link.js";

/** The links to kernels, opened when they are first needed. */
class Links {
  /** @type {WeakMap<Kernel, Promise<Link>>} */
  opened = new WeakMap();

  /**
   * @param {Kernel} kernel
   * @returns {Promise<Link | null>} Null if the kernel has not loaded codebuddy.
   */
  async to(kernel) {
    try {
      const link = await (this.opened.get(kernel) ?? this.open(kernel));
      // A restart of the kernel ends its comms.
      const isLost = link.isClosed || link.comm.isDisposed;
      return isLost ? await this.open(kernel) : link;
    } catch (error) {
      this.opened.delete(kernel);
      if (error instanceof NotLoaded) return null;
      throw error;
    }
  }

  /** @param {Kernel} kernel */
  open(kernel) {
    const opening = Link.open(kernel);
    this.opened.set(kernel, opening);
    return opening;
  }
}

/** @returns {InlineCompletions} */
export function inlineCompletions() {
  const links = new Links();
  return new InlineCompletions(async widget => {
    /** @type {Kernel | null | undefined} */
    const kernel = widget?.sessionContext?.session?.kernel;
    const link = kernel ? await links.to(kernel) : null;
    return link && ((kind, content, options) => link.ask(kind, content, options));
  });
}
