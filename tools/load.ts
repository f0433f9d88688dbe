// Measures the service under load: `deno task load`, `deno task load --help`.
//
// The service runs in a process of its own between HTTPS stand-ins in another one, and this process
// is the client. On a machine with few cores the three compete, so compare processor time rather
// than requests per second.

import { type LoadArguments, parseLoadArguments, USAGE } from "./load/arguments.ts";
import { killChildren } from "./load/children.ts";
import { measureJobs } from "./load/measure_jobs.ts";
import {
  type LoadContext,
  measureClosedLoops,
  measureMemory,
  measureStart,
  measureStorm,
} from "./load/scenarios.ts";
import { startServiceProcess } from "./load/service_process.ts";
import { startStandIns } from "./load/stand_ins_process.ts";

const EX_USAGE = 64;

function parseOrExit(): LoadArguments {
  try {
    const args = parseLoadArguments(Deno.args);
    if (args !== undefined) return args;
    console.log(USAGE);
    Deno.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    Deno.exit(EX_USAGE);
  }
}

/** Moves this process to all processors but the first; what it starts inherits that. */
async function leaveProcessorZero(): Promise<void> {
  if (navigator.hardwareConcurrency < 2) throw new Error("--pin needs two processors");
  const others = `1-${navigator.hardwareConcurrency - 1}`;
  const { success, stderr } = await new Deno.Command("taskset", {
    args: ["-apc", others, String(Deno.pid)],
  }).output();
  if (!success) throw new Error(`taskset failed: ${new TextDecoder().decode(stderr)}`);
}

async function main(): Promise<void> {
  const args = parseOrExit();
  if (args.pin) await leaveProcessorZero();
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "matrixrtc-auth-load-" });
  const removeFolder = () => Deno.removeSync(folder, { recursive: true });
  stack.defer(removeFolder);
  // The stand-ins end by themselves when this process does; service and Redis know nothing of it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      killChildren();
      removeFolder();
      Deno.exit(1);
    });
  }
  const standIns = stack.use(await startStandIns());
  await Deno.writeTextFile(`${folder}/ca.pem`, standIns.ca);
  const key = { key: "devkey", secret: "a-secret-of-thirty-two-characters!" };
  const context: LoadContext = {
    args,
    standIns,
    key,
    folder,
    start: (env) =>
      startServiceProcess({
        command: args.pin ? ["taskset", "-c", "0", ...args.command] : args.command,
        logPath: `${folder}/service.log`,
        env: {
          LIVEKIT_URL: standIns.sfuUrl.replace("http", "ws"),
          LIVEKIT_KEY: key.key,
          LIVEKIT_SECRET: key.secret,
          LIVEKIT_FULL_ACCESS_HOMESERVERS: standIns.fullAccessServer,
          MATRIXRTC_CA_FILE: `${folder}/ca.pem`,
          // Names with full access may be anywhere; the other homeserver needs leave to be local.
          MATRIXRTC_ALLOW_NETWORKS: "127.0.0.0/8,::1/128",
          MATRIXRTC_RATE_LIMIT_PER_CLIENT: "off",
          MATRIXRTC_RATE_LIMIT_PER_SERVER: "off",
          ...env,
        },
      }),
  };
  const report = {
    command: args.command,
    deno: Deno.version.deno,
    cores: navigator.hardwareConcurrency,
    pinned: args.pin,
    ...(args.parts.has("start") && { start: await measureStart(context) }),
    ...(args.parts.has("closed") && { closedLoops: await measureClosedLoops(context) }),
    ...(args.parts.has("storm") && { storm: await measureStorm(context) }),
    ...(args.parts.has("memory") && { memory: await measureMemory(context) }),
    ...(args.parts.has("jobs") && { jobs: await measureJobs(context) }),
  };
  console.log(JSON.stringify(report, null, 2));
}

await main();
