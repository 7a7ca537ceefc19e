// The two fields for a fixed range of y: none if both are empty.

import { make } from "./words.js";

export class RangeFields {
  /** `onRange` receives [from, to], or null once both fields are emptied. */
  constructor(onRange) {
    Object.assign(this, { onRange, range: null });
    this.ends = ["from", "to"].map((name) => {
      const end = make("input", { type: "text", inputMode: "decimal", className: "end", title: `y ${name}` });
      end.setAttribute("aria-label", end.title);
      end.addEventListener("change", () => this.fix());
      return end;
    });
    this.element = make("span", { className: "field" }, "y from ", this.ends[0], " to ", this.ends[1]);
  }

  /** Fix the range once both ends are numbers. */
  fix() {
    const range = this.ends.map(({ value }) => (value.trim() === "" ? NaN : Number(value)));
    const isEmpty = this.ends.every(({ value }) => value.trim() === "");
    const isFull = this.ends.every(({ value }) => value.trim() !== "");
    const isValid = range.every(Number.isFinite) && range[0] < range[1];
    if (isValid) this.onRange(range);
    else if (this.range && isEmpty) this.onRange(null);
    for (const end of this.ends) end.setAttribute("aria-invalid", String(isFull && !isValid));
  }

  /** Show `range`, null if there is none, and `usual`, which then applies. */
  show(range, usual = null) {
    this.range = range;
    if (this.ends.includes(document.activeElement)) return;
    this.ends.forEach((end, index) => {
      end.value = range?.[index] ?? "";
      end.placeholder = usual?.[index] ?? "auto";
    });
  }
}
