// Writes rows as CSV, RFC 4180.

const FORMULA = /^[=+\-@\t\r]/;

/** A cell of CSV: quoted where needed, and never a formula of a spreadsheet. */
function writeCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\n\r']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The text of `rows`, whose cells are texts, numbers or null. */
export const writeCsv = (rows) => rows.map((row) => `${row.map(writeCell).join(",")}\r\n`).join("");
