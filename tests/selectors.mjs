// Evaluates selectors as Grafana's data source plugins do: reads [{language, selector, json}] and prints what each finds.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(`${process.argv[2]}/package.json`);
const jsonata = require("jsonata");
const { JSONPath } = require("jsonpath-plus");

async function evaluate({ language, selector, json }) {
  if (language === "jsonpath") return JSONPath({ path: selector, json, eval: false });
  const found = await jsonata(selector).evaluate(json);
  return Array.isArray(found) ? found : [found];
}

console.log(JSON.stringify(await Promise.all(JSON.parse(await text(process.stdin)).map(evaluate))));
