// Parses an AsyncAPI document. The exit code is 1 if the parser reports an error or a warning.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Parser } from "@asyncapi/parser";

const worst = 1; // 0 is an error, 1 a warning; higher numbers are advice
const severities = ["error", "warning", "info", "hint"];

const file = resolve(process.argv[2]);
const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"), { source: file });
for (const { severity, code, message, path, range, source } of diagnostics) {
  const place = `${source ?? file}:${range.start.line + 1}:${range.start.character + 1}`;
  console.log(`${place} ${severities[severity]} ${code} ${message} (${path.join(".")})`);
}
if (!document || diagnostics.some(({ severity }) => severity <= worst)) {
  process.exitCode = 1;
}
