// The choice of the columns of the run table, in a popover.

import { makePopover } from "./popover.js";
import { PROGRESS, VALUES } from "./run_columns.js";
import { make } from "./words.js";

export class RunColumnChoice {
  /** `onChoose` is given what changes in the table of the view: `progress` or `values`, a list of names. */
  constructor(onChoose) {
    this.boxes = {};
    this.element = makePopover(
      "more",
      make("summary", {}, "Columns"),
      this.makeGroup("progress", "Progress", PROGRESS, onChoose),
      this.makeGroup("values", "Each metric", VALUES, onChoose),
    );
  }

  makeGroup(kind, legend, columns, onChoose) {
    const boxes = columns.map(({ name }) => make("input", { type: "checkbox", value: name }));
    const readChecked = () => boxes.filter(({ checked }) => checked).map(({ value }) => value);
    for (const box of boxes) box.addEventListener("change", () => onChoose({ [kind]: readChecked() }));
    this.boxes[kind] = boxes;
    const labels = columns.map(({ heading }, index) => make("label", {}, boxes[index], ` ${heading}`));
    return make("fieldset", {}, make("legend", {}, legend), ...labels);
  }

  /** Check the boxes of the columns that `table` of the view shows. */
  show(table) {
    for (const [kind, boxes] of Object.entries(this.boxes))
      for (const box of boxes) box.checked = table[kind].includes(box.value);
  }
}
