// Evaluates a selector as Grafana's data source Infinity does: reads {selector, json} and prints what it finds, if anything.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const jsonata = createRequire(`${process.argv[2]}/package.json`)("jsonata");

const { selector, json } = JSON.parse(await text(process.stdin));
console.log(JSON.stringify({ found: await jsonata(selector).evaluate(json) }));
