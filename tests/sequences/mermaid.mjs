// Reads diagrams as a JSON list of {place, text} and writes one line for each that mermaid itself does not understand.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document });
const { default: mermaid } = await import("mermaid");

for (const { place, text } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    await mermaid.parse(text);
  } catch (error) {
    console.log(`${place}: ${String(error).split("\n").slice(0, 2).join(" ")}`);
  }
}
