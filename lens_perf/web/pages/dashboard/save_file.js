// Saves a file that was made in the page.

/** Have the browser save `blob` as the file `name`. */
export function saveFile(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Have the browser save CSV text as the file `name`. */
export const saveCsv = (text, name) => saveFile(new Blob([text], { type: "text/csv" }), name);
