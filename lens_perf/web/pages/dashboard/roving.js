// Makes a list or a table one Tab stop: the arrow keys move within it.

const ITEMS = "a[href], button, input, select, summary";
const ROWS = "tr, li";
const POPOVER = "details > div";

/** Keep one control of `container` in the Tab order; call the function returned after its content has changed. */
export function setUpRoving(container) {
  let current = null;
  const list = () =>
    [...container.querySelectorAll(ITEMS)].filter(
      (item) => !item.disabled && item.offsetParent !== null && !isInPopover(item, container),
    );
  const refresh = () => {
    const items = list();
    if (!items.includes(current))
      current = items.find((item) => item.dataset.key && item.dataset.key === current?.dataset.key) ?? items[0] ?? null;
    for (const item of items) item.tabIndex = item === current ? 0 : -1;
  };
  container.addEventListener("focusin", ({ target }) => {
    if (!target.matches(ITEMS)) return;
    current = target;
    refresh();
  });
  container.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const items = list();
    const next = items.includes(event.target) ? findNext(items, event.target, event.key) : null;
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  return refresh;
}

/** Whether `item` is in what pops up from a button of `container`: there, each control is a Tab stop. */
function isInPopover(item, container) {
  const popover = item.closest(POPOVER);
  return popover !== null && !popover.contains(container);
}

/** Return where `key` leads from `item`: up and down to another row, left and right within one. */
function findNext(items, item, key) {
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  const row = item.closest(ROWS);
  const within = items.filter((each) => each.closest(ROWS) === row);
  const place = within.indexOf(item);
  if (key === "ArrowLeft") return within[place - 1];
  if (key === "ArrowRight") return within[place + 1];
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const rows = [...new Set(items.map((each) => each.closest(ROWS)))];
  const other = rows[rows.indexOf(row) + (key === "ArrowUp" ? -1 : 1)];
  const there = items.filter((each) => other && each.closest(ROWS) === other);
  return there[Math.min(place, there.length - 1)];
}
