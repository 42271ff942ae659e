/** Notes and test results, below the buttons that requested them. */

/** @import { CheckFields, ReportFields, StateMessage } from "../protocol.js" */

import { make } from "../shared/elements.js";
import { problemNodes, remedyNode } from "../shared/problems.js";

/** Shows notes, settings that are overridden, and the report of a test. */
export class Findings {
  constructor() {
    this.notes = make("div", { className: "cb-notes", aria: { role: "status" } });
    this.report = make("div", { className: "cb-report", aria: { role: "status" } });
    this.node = make("div", { className: "cb-provider" }, this.notes, this.report);
  }

  /** @param {StateMessage} state */
  show({ noted, overridden = [], report }) {
    const lines = noted ? [noted, ...overridden] : overridden;
    this.notes.replaceChildren(...lines.map(line =>
      make("div", {}, ...problemNodes(this.notes, line))));
    this.report.replaceChildren(...(report ? this.reportNodes(report) : []));
  }

  /** @param {ReportFields} report */
  reportNodes({ verdict, rows }) {
    const checks = rows.map(row => this.checkNode(row));
    return [
      make("b", {}, ...problemNodes(this.report, verdict)),
      make("ul", {}, ...checks),
    ];
  }

  /** @param {CheckFields} check */
  checkNode({ mark, name, finding, remedies }) {
    const nodes = remedies.map(remedy => remedyNode(this.report, remedy));
    return make("li", { className: mark === "✗" ? "cb-failed" : "" },
      make("span", {}, mark), make("b", {}, name), make("div", {}, finding, ...nodes));
  }
}
