/** What two texts differ in, line by line. */

/**
 * @typedef {object} Hunk
 * @property {number} start The first line of the old text that it replaces, from 0.
 * @property {string[]} removed
 * @property {string[]} added
 */

/** The product of the numbers of lines up to which the shortest difference is sought. */
const MOST_PAIRS = 4_000_000;

/**
 * @param {string} oldText
 * @param {string} newText
 * @returns {Hunk[]} The changes from the first to the last line.
 */
export function hunksOf(oldText, newText) {
  const [before, after] = [linesOf(oldText), linesOf(newText)];
  let head = 0;
  const shorter = Math.min(before.length, after.length);
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const removed = before.slice(head, before.length - tail);
  const added = after.slice(head, after.length - tail);
  if (!removed.length && !added.length) return [];
  if (removed.length * added.length > MOST_PAIRS) return [{ start: head, removed, added }];
  return changes(removed, added, head);
}

/**
 * @param {string} oldText
 * @param {Hunk[]} hunks Those of its changes that are wanted, in their order.
 * @returns {string} The text with these changes.
 */
export function withHunks(oldText, hunks) {
  const lines = linesOf(oldText);
  for (const { start, removed, added } of [...hunks].reverse()) {
    lines.splice(start, removed.length, ...added);
  }
  return lines.join("\n");
}

/** @param {string} text */
function linesOf(text) {
  return text ? text.split("\n") : [];
}

/**
 * @param {string[]} before
 * @param {string[]} after
 * @param {number} offset The number of the first of these lines in the whole text.
 * @returns {Hunk[]}
 */
function changes(before, after, offset) {
  const width = after.length + 1;
  const common = commonLengths(before, after);
  /** @type {Hunk[]} */
  const hunks = [];
  /** @type {Hunk | null} */
  let hunk = null;
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      hunk = null;
      [i, j] = [i + 1, j + 1];
      continue;
    }
    if (!hunk) hunks.push(hunk = { start: offset + i, removed: [], added: [] });
    const isRemoved = j >= after.length
      || (i < before.length && common[(i + 1) * width + j] >= common[i * width + j + 1]);
    if (isRemoved) hunk.removed.push(before[i++]);
    else hunk.added.push(after[j++]);
  }
  return hunks;
}

/**
 * @param {string[]} before
 * @param {string[]} after
 * @returns {Uint32Array} For each pair of positions, the most lines that the texts from
 *   there on have in common, in the same order.
 */
function commonLengths(before, after) {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      lengths[at] = before[i] === after[j]
        ? lengths[at + width + 1] + 1
        : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  return lengths;
}
