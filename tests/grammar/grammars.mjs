// Reads lines of JSON, {grammar, sql}, and answers each with one: what the grammar refuses in it, or null.
import { createRequire, register } from "node:module";
import { createInterface } from "node:readline";

register("./resolve.mjs", import.meta.url);

async function antlr(name, className) {
  const module = await import(`./node_modules/dt-sql-parser/dist/parser/${name}/index`);
  const parser = new module[className]();
  return (sql) => parser.validate(sql)[0]?.message ?? null;
}

function redshift() {
  const { Parser } = createRequire(import.meta.url)("node-sql-parser/build/redshift");
  const parser = new Parser();
  return (sql) => {
    try {
      parser.astify(sql, { database: "redshift" });
      return null;
    } catch (error) {
      if (!error.location) throw error; // not a refusal
      return `line ${error.location.start.line}: ${error.message}`;
    }
  };
}

const grammars = { redshift, trino: () => antlr("trino", "TrinoSQL"), hive: () => antlr("hive", "HiveSQL") };
const loaded = {};

for await (const line of createInterface({ input: process.stdin })) {
  const { grammar, sql } = JSON.parse(line);
  loaded[grammar] ??= await grammars[grammar]();
  console.log(JSON.stringify(loaded[grammar](sql)));
}
