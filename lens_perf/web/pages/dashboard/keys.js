// The keys of the page, and the dialog that lists them.

const find = (selector) => document.querySelector(selector);

/** Let keys act on the page, and the link that skips to the charts; `actions` maps a key to what it does. */
export function setUpKeys(actions) {
  const dialog = find("#keys-dialog");
  const showKeys = () => {
    if (!dialog.open) dialog.showModal();
  };
  find("#help").addEventListener("click", showKeys);
  find(".skip").addEventListener("click", (event) => {
    // Its address would replace the view's.
    event.preventDefault();
    find("#charts").focus();
  });
  const all = { "?": showKeys, ...actions };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape" && event.target.matches("#search")) return event.target.blur();
    if (document.querySelector("dialog[open]") || isTyping(event.target) || !Object.hasOwn(all, event.key)) return;
    event.preventDefault();
    all[event.key]();
  });
}

/** Put the focus into a field of a panel, which is unfolded for it. */
export function focusField(selector) {
  const field = find(selector);
  if (!field) return;
  field.closest("details")?.setAttribute("open", "");
  field.focus();
  field.select?.();
}

const isTyping = (target) => target.matches("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
