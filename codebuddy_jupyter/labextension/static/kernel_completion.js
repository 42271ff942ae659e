/** Completion while typing, over the comm that all of a notebook shares. */

/** @import { Links } from "./links.js" */

import { InlineCompletions } from "./completion.js";
import { NotLoaded } from "./link.js";

/**
 * @param {Links} links
 * @returns {InlineCompletions}
 */
export function inlineCompletions(links) {
  return new InlineCompletions(async widget => {
    // A file without a kernel has none of this.
    if (!widget?.sessionContext) return null;
    try {
      const link = await links.of(widget);
      return (kind, content, options) => link.ask(kind, content, options);
    } catch (error) {
      if (error instanceof NotLoaded) return null;
      throw error;
    }
  });
}
