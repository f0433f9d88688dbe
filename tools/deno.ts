// Runs a deno subcommand with the project's dependencies: `deno run -A tools/deno.ts test …`.
//
// The project imports `@std/*` from JSR. Where JSR cannot be reached, the stand-ins of tools/std take
// its place through an import map, so that the same commands work on both kinds of machine.
// `STD_FROM=jsr` insists on JSR (release builds), `STD_FROM=npm` on the stand-ins.

/** Every `@std` specifier that the project imports, and its stand-in beside tools/std/import_map.json. */
const STAND_INS: Record<string, string> = {
  "@std/assert": "./assert.ts",
  "@std/dotenv/parse": "./dotenv_parse.ts",
  "@std/http/negotiation": "./http_negotiation.ts",
  "@std/http/status": "./http_status.ts",
};

/** How long JSR may stay silent before the stand-ins are used; Deno itself has no limit. */
const JSR_TIMEOUT_MS = 20_000;

/** Says whether Deno itself can load the `@std` modules, from its cache or from JSR. */
async function jsrAnswers(): Promise<boolean> {
  const loading = Promise.all(Object.keys(STAND_INS).map((specifier) => import(specifier)));
  const deadline = new Promise((_, reject) =>
    setTimeout(reject, JSR_TIMEOUT_MS, new Error(`JSR failed to answer in ${JSR_TIMEOUT_MS} ms`))
  );
  try {
    await Promise.race([loading, deadline]);
    return true;
  } catch (error) {
    // Anything else, a wrong integrity for one, is for the subcommand to report.
    if (!/failed to (load|answer)/.test(String(error))) return true;
    console.error(`tools/deno.ts: using tools/std: ${String(error).split("\n")[0]}`);
    return false;
  }
}

/** Writes deno.json's imports with the stand-ins put in, and returns the file's path. */
async function writeImportMap(): Promise<string> {
  const { imports } = JSON.parse(await Deno.readTextFile("deno.json"));
  const map: Record<string, string> = { ...imports, ...STAND_INS };
  for (const [name, target] of Object.entries(map)) {
    // deno.json implies these, an import map does not.
    if (/^(npm|jsr):/.test(target)) map[`${name}/`] = `${target.replace(":", ":/")}/`;
  }
  const path = "tools/std/import_map.json";
  // Several tasks may run at once: none may read a file half written by another.
  const draft = `${path}.${Deno.pid}`;
  await Deno.writeTextFile(draft, JSON.stringify({ imports: map }, null, 2) + "\n");
  await Deno.rename(draft, path);
  return path;
}

const [subcommand, ...args] = Deno.args;
if (subcommand === undefined) throw new TypeError("usage: tools/deno.ts SUBCOMMAND [ARGUMENT…]");
Deno.chdir(new URL("..", import.meta.url));
const from = Deno.env.get("STD_FROM");
if (from === "npm" || (from !== "jsr" && !await jsrAnswers())) {
  args.unshift(`--import-map=${await writeImportMap()}`);
}
const child = new Deno.Command(Deno.execPath(), { args: [subcommand, ...args] }).spawn();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    try {
      child.kill(signal);
    } catch {
      // The child has ended by itself; its status is on the way.
    }
  });
}
Deno.exit((await child.status).code);
