// The list of docs/architecture.md, held against the imports in lib/.

import { dirname, join, normalize } from "node:path";
import { assert, assertEquals, assertExists } from "@std/assert";
import { ROOT } from "../support/service.ts";
import { readDocument } from "./support/document.ts";

const architecture = await readDocument("docs/architecture.md");
const list = architecture.blocks.find(({ language }) => language === "text");
/** Parts, from those that may import most to those that may import nothing. */
const layers = (list?.text ?? "").trim().split("\n").map((line) => line.split(/\s+/));
const files = ["main.ts", ...await filesBelow("lib")];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typesOnly: boolean;
}

Deno.test("every file of the program has its place in the architecture", () => {
  for (const file of files) assertExists(placeOf(file), file);
  for (const part of layers.flat()) {
    assert(files.some((file) => file === part || file.startsWith(`${part}/`)), part);
  }
});

Deno.test("imports point down", async () => {
  const imports = await importsOf(files);
  // As many as a look at the code finds at least: a parser that finds none proves nothing.
  assert(imports.length > 150, String(imports.length));
  const wrong = imports.filter(({ from, to }) => {
    const [upper, lower] = [placeOf(from), placeOf(to)];
    if (upper === undefined || lower === undefined) return true;
    return upper.part !== lower.part && upper.layer >= lower.layer;
  });
  assertEquals(wrong.map(({ from, to }) => `${from} imports ${to}`), []);
});

Deno.test("use cases take no more than types from what reaches other servers", async () => {
  const imports = await importsOf(files);
  const adapters = /^lib\/(?:verification|sfu|observability|net)\//;
  const wrong = imports.filter(({ from, to, typesOnly }) =>
    from.startsWith("lib/usecases/") && adapters.test(to) && !typesOnly
  );
  assertEquals(wrong.map(({ from, to }) => `${from} imports ${to}`), []);
});

Deno.test("only main.ts sees environment, arguments, signals and exit", async () => {
  for (const file of files.filter((file) => file !== "main.ts")) {
    const code = withoutComments(await Deno.readTextFile(join(ROOT, file)));
    const seen = /\bDeno\.(?:env|args|exit|addSignalListener|stdin|stdout|stderr)\b/.exec(code);
    assertEquals([file, seen?.[0]], [file, undefined]);
  }
});

Deno.test("docs/dependencies.md has a line for each direct dependency", async () => {
  const { rows } = await readDocument("docs/dependencies.md");
  const { imports } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const named = rows.map(({ cells }) => cells[0]!.replaceAll("`", ""));
  assertEquals(named.sort(), Object.keys(imports).sort());
});

Deno.test("docs/dependencies.md tells the program's dependencies from the others", async () => {
  const { rows } = await readDocument("docs/dependencies.md");
  const listed = rows.filter(({ heading }) => heading === "In the program")
    .map(({ cells }) => cells[0]!.replaceAll("`", ""));
  const imported = new Set<string>();
  for (const file of files) {
    for (const { specifier } of specifiersOf(await Deno.readTextFile(join(ROOT, file)))) {
      if (/^(?:\.|node:)/.test(specifier)) continue;
      imported.add(specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/"));
    }
  }
  assertEquals(listed.sort(), [...imported].sort());
});

function placeOf(file: string): { layer: number; part: string } | undefined {
  for (const [layer, parts] of layers.entries()) {
    const part = parts.find((part) => file === part || file.startsWith(`${part}/`));
    if (part !== undefined) return { layer, part };
  }
  return undefined;
}

async function importsOf(files: readonly string[]): Promise<Import[]> {
  const imports: Import[] = [];
  for (const from of files) {
    for (
      const { specifier, typesOnly } of specifiersOf(await Deno.readTextFile(join(ROOT, from)))
    ) {
      if (!specifier.startsWith(".")) continue;
      imports.push({ from, to: normalize(join(dirname(from), specifier)), typesOnly });
    }
  }
  return imports;
}

/** Everything that a module imports: `import … from`, `export … from`, `import "…"`, `import("…")`. */
function specifiersOf(text: string): { specifier: string; typesOnly: boolean }[] {
  const code = withoutComments(text);
  const statements = code.matchAll(
    /^(?:import|export)\s+(type\s)?(\{[^}]*\}|[^"'{;]*?(?:\{[^}]*\})?)\s*from\s*"([^"]+)"/gm,
  );
  const bare = code.matchAll(/^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm);
  return [
    ...[...statements].map(([, type, names, specifier]) => ({
      specifier: specifier!,
      typesOnly: type !== undefined || areTypes(names!),
    })),
    ...[...bare].map(([, first, second]) => ({
      specifier: (first ?? second)!,
      typesOnly: false,
    })),
  ];
}

function areTypes(names: string): boolean {
  const list = /^\{([^}]*)\}$/.exec(names)?.[1];
  const entries = list?.split(",").map((name) => name.trim()).filter((name) => name !== "");
  return entries?.every((name) => name.startsWith("type ")) ?? false;
}

// Examples in doc comments import as well, and not for the program.
function withoutComments(code: string): string {
  return code.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesBelow(path));
    else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) found.push(path);
  }
  return found.sort();
}
