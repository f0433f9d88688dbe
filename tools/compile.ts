// Makes the self-contained executable: bundles the program into one minified file, then compiles that.
//
//   deno task compile                          dist/matrixrtc-auth for this platform
//   deno task compile --target aarch64-unknown-linux-gnu --output dist/matrixrtc-auth-arm64
//
// Bundling first leaves out every npm file that the program does not use: the binary is smaller and
// starts faster. `DENO_COMPILE` names another deno for the second step, for machines where the base
// binary of this version cannot be downloaded but that of another is at hand (`DENORT_BIN`).

import { resolve } from "node:path";
import { parseArgs } from "node:util";

const ROOT = new URL("..", import.meta.url).pathname;
const BUNDLE = "build/matrixrtc-auth.js";

/**
 * What the program may do. It reads any file that a variable names, writes a unix socket wherever
 * the operator wants it, and reads the whole environment to point out misspelt names. It starts no
 * programs, loads no libraries and asks nothing of the system beyond that.
 */
const PERMISSIONS = ["--no-prompt", "--allow-net", "--allow-env", "--allow-read", "--allow-write"];

/**
 * Memory before speed: by default the heap grows to several times what is in use before the next
 * collection, and what it has grown to stays. With these a busy service takes a third less, and ten
 * percent more time.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=16,--heap-growing-percent=50";

async function run(program: string, args: string[], env: Record<string, string> = {}) {
  const child = new Deno.Command(program, { args, env, cwd: ROOT }).spawn();
  const { code } = await child.status;
  if (code !== 0) {
    console.error(`tools/compile.ts: ${args[0]} ended with ${code}`);
    Deno.exit(code);
  }
}

const { values } = parseArgs({
  args: Deno.args,
  options: { target: { type: "string" }, output: { type: "string" } },
});
const output = values.output ?? "dist/matrixrtc-auth";
await Deno.mkdir(`${ROOT}/dist`, { recursive: true });
await Deno.mkdir(`${ROOT}/build`, { recursive: true });

await run(Deno.execPath(), [
  "run",
  "-A",
  "tools/deno.ts",
  "bundle",
  "--quiet",
  "--platform=deno",
  "--minify",
  `--output=${BUNDLE}`,
  "main.ts",
]);
await run(
  Deno.env.get("DENO_COMPILE") ?? Deno.execPath(),
  [
    "compile",
    "--quiet",
    // The bundle needs nothing of the project any more, so no npm package gets embedded.
    "--no-config",
    "--no-lock",
    "--no-check",
    "--no-code-cache",
    ...PERMISSIONS,
    V8_FLAGS,
    ...(values.target === undefined ? [] : [`--target=${values.target}`]),
    `--output=${output}`,
    BUNDLE,
  ],
  // Many npm packages overflow the compiler's default stack in older versions.
  { RUST_MIN_STACK: "33554432" },
);
const { size } = await Deno.stat(resolve(ROOT, output));
console.log(`${output}: ${(size / 1e6).toFixed(1)} MB`);
