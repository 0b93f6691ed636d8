// dt-sql-parser is made for bundlers: its modules name each other without the ending that node wants.
import { existsSync } from "node:fs";

export async function resolve(specifier, context, next) {
  const endings = specifier.startsWith(".") ? [".js", "/index.js"] : [];
  const url = endings.map((ending) => new URL(specifier + ending, context.parentURL)).find((each) => existsSync(each));
  return url ? { url: url.href, format: "module", shortCircuit: true } : next(specifier, context);
}
