// The two fields for a fixed range of y. An end whose field is empty is not fixed.

import { isAscending } from "./view_state.js";
import { make } from "./words.js";

export class RangeFields {
  /** `onRange` receives [from, to], an end null if its field is empty; or null once both are emptied. */
  constructor(onRange) {
    Object.assign(this, { onRange, shown: "" });
    this.ends = ["from", "to"].map((name) => {
      const end = make("input", { type: "text", inputMode: "decimal", className: "end", title: `y ${name}` });
      end.setAttribute("aria-label", end.title);
      end.addEventListener("change", () => this.fix());
      return end;
    });
    this.problem = make("span", { className: "problem" });
    this.problem.setAttribute("role", "status");
    const [from, to] = this.ends;
    this.element = make("span", { className: "field range" }, "y from ", from, " to ", to, this.problem);
  }

  /** Fix what the fields say, or say what is wrong with it. */
  fix() {
    const range = this.ends.map(({ value }) => (value.trim() === "" ? null : Number(value)));
    this.report(findProblem(range));
    if (!this.problem.textContent) this.onRange(range.every((end) => end === null) ? null : range);
  }

  report(problem) {
    this.problem.textContent = problem;
    for (const end of this.ends) end.setAttribute("aria-invalid", String(problem !== ""));
  }

  /** Show `range`, null if there is none, and `usual`, which applies to an end that it does not fix. */
  show(range, usual = null) {
    const shown = JSON.stringify([range, usual]);
    // What is wrong stays until it is corrected, or until another range is chosen.
    const isKept = shown === this.shown && this.problem.textContent !== "";
    this.shown = shown;
    if (isKept || this.ends.includes(document.activeElement)) return;
    this.report("");
    this.ends.forEach((end, index) => {
      end.value = range?.[index] ?? "";
      end.placeholder = usual?.[index] ?? "auto";
    });
  }
}

function findProblem(range) {
  if (!range.every((end) => end === null || Number.isFinite(end))) return "Enter numbers, such as 0.5 or 1e-4.";
  return isAscending(range) ? "" : "“from” must be less than “to”.";
}
