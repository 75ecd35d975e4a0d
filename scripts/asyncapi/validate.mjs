// Print what the official parser has against an AsyncAPI document; fail on errors and on warnings.
// Usage: node validate.mjs FILE
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const WARNING = 1; // errors are 0; what is above is advice, such as a newer version of AsyncAPI

const file = process.argv[2];
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"), { source: file });
const serious = diagnostics.filter(({ severity }) => severity <= WARNING);
// One mistake is found again through every reference to it: the place named last is the shortest.
const places = new Map();
for (const { message, path } of serious.sort((a, b) => b.path.length - a.path.length)) places.set(message, path);
for (const [message, path] of places) console.log(`${file}: ${path.join(" > ") || "the document"}: ${message}`);
process.exitCode = document && !serious.length ? 0 : 1;
