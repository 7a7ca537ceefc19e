// Puts elements in order without moving the one in use: an element that is moved loses the focus, and full screen.

/** Make `elements` the children of `parent`, in this order. */
export function putInOrder(parent, elements) {
  for (const child of [...parent.children]) if (!elements.includes(child)) child.remove();
  const used = findUsed(elements);
  elements.forEach((element, index) => {
    // The others move around the one in use.
    while (element === used && parent.children[index] !== used) parent.append(parent.children[index]);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
}

function findUsed(elements) {
  const { activeElement, fullscreenElement } = document;
  return (
    elements.find((each) => each.contains(fullscreenElement)) ?? elements.find((each) => each.contains(activeElement))
  );
}
