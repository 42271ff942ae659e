/** Texts of cells and outputs: compared, and shortened. */

/** Characters of one text of an output that are sent with a question. */
const LONGEST_OUTPUT = 4000;

/** @param {string} text @returns {Set<string>} */
export function linesOf(text) {
  const lines = text.split("\n").map(line => line.trim());
  return new Set(lines.filter(Boolean));
}

/** @param {Set<string>} some @param {Set<string>} others */
export function commonShare(some, others) {
  const common = [...some].filter(line => others.has(line));
  return common.length / Math.max(some.size, others.size, 1);
}

/**
 * An output with head and tail of long texts, and of a picture only that there is one.
 * @param {any} output
 * @returns {object}
 */
export function shortened({ output_type, name, ename, evalue, text, data, traceback }) {
  return {
    output_type,
    name,
    ename,
    evalue: evalue && shortText(evalue),
    text: text && shortText(text),
    data: data && shortData(data),
    traceback: traceback && [shortText(traceback)],
  };
}

/** @param {{ [type: string]: unknown }} data */
function shortData(data) {
  const isImage = Object.keys(data).some(type => type.startsWith("image/"));
  return { "text/plain": isImage ? "image" : shortText(data["text/plain"]) };
}

/** @param {unknown} value A text, or its lines. */
function shortText(value) {
  const text = Array.isArray(value) ? value.join("") : String(value ?? "");
  if (text.length <= LONGEST_OUTPUT) return text;
  return `${text.slice(0, LONGEST_OUTPUT / 2)}\n…\n${text.slice(-LONGEST_OUTPUT / 2)}`;
}
