// Shows the exchange to a newcomer: `deno task demo`, or `deno task demo --once` to end after it.
//
// The service is the real one, in a process of its own. Homeserver and SFU are stand-ins on the
// loopback interface, unless LIVEKIT_URL names a real SFU.

import { createColors } from "./demo/colors.ts";
import { exchangeToken } from "./demo/exchange.ts";
import { renderCast, renderExchange, renderInvitation } from "./demo/render.ts";
import { createWorld, type RealSfu } from "./demo/world.ts";

const USAGE = `usage: deno task demo [--once]

  --once   end after the exchange

With LIVEKIT_URL, LIVEKIT_KEY and LIVEKIT_SECRET set, a real SFU takes the stand-in's place.
`;
const EX_USAGE = 64;

function fail(message: string, code: number): never {
  console.error(message);
  Deno.exit(code);
}

function readRealSfu(): RealSfu | undefined {
  const [url, key, secret] = ["LIVEKIT_URL", "LIVEKIT_KEY", "LIVEKIT_SECRET"]
    .map((name) => Deno.env.get(name));
  if (!url) return undefined;
  if (key && secret) return { url, key, secret };
  fail("LIVEKIT_URL is set: a real SFU needs LIVEKIT_KEY and LIVEKIT_SECRET too", EX_USAGE);
}

const unknown = Deno.args.filter((arg) => !["--once", "--help", "-h"].includes(arg));
if (unknown.length > 0) fail(`Unknown argument ${unknown[0]}\n\n${USAGE}`, EX_USAGE);
if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
  console.log(USAGE);
  Deno.exit(0);
}
const once = Deno.args.includes("--once");
const colors = createColors(Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR"));
const realSfu = readRealSfu();
const caFile = Deno.env.get("MATRIXRTC_CA_FILE");

const interrupted = new Promise<void>((resolve) => {
  // Windows knows SIGINT only.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    if (signal === "SIGINT" || Deno.build.os !== "windows") {
      Deno.addSignalListener(signal, () => resolve());
    }
  }
});
let follow = false;
let status = 0;
{
  await using world = await createWorld({
    ...(realSfu && { realSfu }),
    ...(caFile && { caFile }),
    onLog: (text) => {
      if (follow) Deno.stderr.writeSync(new TextEncoder().encode(colors.dim(text)));
    },
  });
  const { service, homeserver, sfu, liveKit, request } = world;
  console.log(renderCast({
    serviceUrl: service.url,
    homeserverUrl: `https://${homeserver.serverName}`,
    liveKitUrl: liveKit.url,
    realSfu: realSfu !== undefined,
  }, colors));

  const exchange = await exchangeToken(service.url, request, liveKit);
  const witness = {
    homeserver: homeserver.requests.map(({ method, path }) => `${method} ${path}`),
    ...(sfu && { sfu: sfu.calls.map(({ method, body }) => `${method} ${JSON.stringify(body)}`) }),
  };
  console.log(renderExchange(exchange, witness, colors));
  if (exchange.token === undefined) {
    status = 1;
    console.error(`The service gave no token. Its log:\n${service.output}`);
  } else if (!once) {
    console.log(renderInvitation(service.url, request, colors));
    follow = true;
    const ended = await Promise.race([interrupted, service.exited]);
    follow = false;
    if (ended !== undefined) {
      status = 1;
      console.error(`The service ended with exit code ${ended}. Its log:\n${service.output}`);
    }
  }
}
Deno.exit(status);
