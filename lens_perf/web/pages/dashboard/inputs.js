// Finds out whether what is shown must be shown again, by all that it depends on. No DOM.

/** Whether the inputs differ, compared one by one: objects that have changed are other objects. */
export const haveChanged = (before, after) =>
  before.length !== after.length || before.some((each, index) => each !== after[index]);
