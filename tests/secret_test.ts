import { format, inspect } from "node:util";
import { assert, assertEquals } from "@std/assert";
import { formatJson, formatText } from "../lib/observability/log_format.ts";
import { describeError } from "../lib/observability/logger.ts";
import { Secret } from "../lib/secret.ts";
import { ROOT } from "./support/service.ts";

const VALUE = "hunter2-and-more";
const secret = new Secret(VALUE);

function record(properties: Record<string, unknown>) {
  return {
    category: ["matrixrtc-auth"],
    level: "info" as const,
    message: ["x"],
    rawMessage: "x",
    timestamp: 0,
    properties,
  };
}

/** Ways to print that tell that there is a secret. */
const PRINTED: Record<string, () => string> = {
  "String()": () => String(secret),
  "a template": () => `${secret}`,
  "a sum": () => "" + secret,
  "Array.join()": () => [secret].join(),
  "JSON": () => JSON.stringify({ a: [secret] }),
  "Deno.inspect()": () => Deno.inspect(secret),
  "Deno.inspect() of an object": () => Deno.inspect({ a: { b: [secret] } }),
  "Deno.inspect() of a Map": () => Deno.inspect(new Map([[secret, secret]]), { showHidden: true }),
  "util.inspect()": () => inspect({ secret }, { showHidden: true, depth: 9, getters: true }),
  "util.format()": () => format("%s %o %O %j", secret, secret, secret, secret),
  "an error's message": () => Deno.inspect(new Error(`${secret}`)),
  "an error's cause": () => Deno.inspect(new Error("x", { cause: secret })),
  "describeError()": () => describeError(new Error("x", { cause: secret })),
  "a thrown secret": () => describeError(secret),
  "the text log": () => formatText(record({ secret })),
  "the text log, deep": () => formatText(record({ a: { b: [secret] } })),
  "the JSON log": () => formatJson(record({ secret })),
  "the JSON log, deep": () => formatJson(record({ a: { b: [secret] } })),
  "a message of the log": () => formatText({ ...record({}), rawMessage: `${secret}` }),
  "a template of LogTape": () =>
    formatText({ ...record({}), category: ["logtape", "meta"], message: ["a ", secret, ""] }),
  "localised": () => secret.toLocaleString(),
};

for (const [name, print] of Object.entries(PRINTED)) {
  Deno.test(`Secret shows itself as [secret] in ${name}`, () => {
    const text = print();
    assert(text.includes("[secret]"), text);
    assert(!text.includes(VALUE), text);
  });
}

/** Ways to look into it that find nothing at all. */
const SILENT: Record<string, () => unknown> = {
  "its keys": () => Reflect.ownKeys(secret),
  "its entries": () => Object.entries(secret),
  "a copy of its properties": () => ({ ...secret }),
  "structuredClone()": () => structuredClone(secret),
  "structuredClone() of an object": () => structuredClone({ secret }),
  "an error's properties": () => Object.assign(new Error("x"), { secret }),
};

for (const [name, look] of Object.entries(SILENT)) {
  Deno.test(`Secret does not show its value in ${name}`, () => {
    const found = look();
    for (
      const text of [JSON.stringify(found), Deno.inspect(found, { showHidden: true, depth: 9 })]
    ) {
      assert(!text.includes(VALUE), text);
    }
  });
}

Deno.test("console shows a Secret as [secret]", async () => {
  const module = JSON.stringify(new URL("../lib/secret.ts", import.meta.url).href);
  const script = `import { Secret } from ${module};
    const secret = new Secret("${VALUE}");
    console.log(secret, { secret }, "%s %o", secret, secret);
    console.error(new Error("x", { cause: secret }));
    console.table([{ secret }]);
    console.dir({ secret });
    throw new Error("thrown", { cause: { secret } });`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", script],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  // Deno quotes the line that threw.
  const shown = text.replaceAll(script, "");
  assertEquals(shown.split("[secret]").length - 1, 8, shown);
  assert(shown.includes("thrown") && !shown.includes(VALUE), shown);
});

/** Everybody who may look into a secret, and what for. A new one is a decision to make, here. */
const REVEALED = {
  "lib/config/check_homeserver_mode.ts": "compares tokens of two places, and of two names",
  "lib/delayed_leave/delayed_leaves.ts": "compares delay IDs: is it the same event again?",
  "lib/delayed_leave/homeserver/delayed_events.ts": "the path and the token of a call",
  "lib/delayed_leave/stores/job_record.ts": "what is kept of a job",
  "lib/delayed_leave/stores/redis_connection.ts": "the password in AUTH",
  "lib/delayed_leave/stores/redis_jobs.ts": "names the job that is removed from Redis",
  "lib/delayed_leave/stores/redis_store.ts": "takes the URL apart",
  "lib/diagnosis/clean_text.ts": "takes it out of what is to be shown",
  "lib/diagnosis/configuration/checks.ts": "is the secret long enough?",
  "lib/diagnosis/discovery/transports.ts": "the token of a call",
  "lib/diagnosis/facts.ts": "the token of a call",
  "lib/diagnosis/homeserver/user_check.ts": "the token of a call",
  "lib/diagnosis/homeserver_mode/checks.ts": "the tokens of calls",
  "lib/diagnosis/webhook/delay_limit.ts": "the token of a call",
  "lib/diagnosis/webhook/store_check.ts": "takes the URL apart",
  "lib/homeserver/find_delayed_event.ts": "the path of a call",
  "lib/homeserver/own_homeserver.ts": "the token of a call",
  "lib/http/hs_token.ts": "the hash that a token is compared with",
  "lib/net/proxy.ts": "the proxy's address, and what it wants for a password",
  "lib/observability/tracing/collector.ts": "headers that the collector of traces wants",
  "lib/rate_limit/redis_counts.ts": "takes the URL apart",
  "lib/signing/hs256.ts": "the key that signs",
  "lib/signing/member_seal.ts": "the key that seals",
  "lib/usecases/homeserver_mode/delegate_delayed_leave.ts": "is it a delay ID at all?",
  "lib/verification/openid.ts": "the query of a call",
  "main.ts": "is Redis at a unix socket?",
};

Deno.test("only those on the list look into secrets", async () => {
  const files = ["main.ts", ...filesBelow("lib")].filter((file) => file !== "lib/secret.ts");
  const looking: string[] = [];
  for (const file of files) {
    const code = (await Deno.readTextFile(`${ROOT}/${file}`)).replace(/^\s*(?:\*|\/\/).*$/gm, "");
    if (/\.\s*reveal\b|\[\s*["']reveal/.test(code)) looking.push(file);
  }
  const listed = Object.keys(REVEALED);
  assertEquals(looking.filter((file) => !listed.includes(file)), [], "not on the list");
  const idle = listed.filter((file) => files.includes(file) && !looking.includes(file));
  assertEquals(idle, [], "on the list for nothing");
});

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(`${ROOT}/${folder}`)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? filesBelow(path) : path.endsWith(".ts") ? [path] : [];
  });
}
