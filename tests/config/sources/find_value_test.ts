import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { findValue } from "../../../lib/config/sources/find_value.ts";
import { Findings } from "../../../lib/config/findings.ts";
import { openSources } from "../../../lib/config/sources/sources.ts";
import { type VariableName, VARIABLES } from "../../../lib/config/variables/variables.ts";

function find(
  name: VariableName,
  env: Record<string, string>,
  files: Record<string, string | Error> = {},
) {
  const findings = new Findings();
  const sources = openSources({
    env,
    readFile(path) {
      const file = files[path] ?? new Deno.errors.NotFound(`readfile '${path}'`);
      if (typeof file !== "string") throw file;
      return file;
    },
  });
  const found = findValue(name, VARIABLES[name], sources, findings);
  return { text: found?.text, source: found?.source, findings };
}

/** From the strongest to the weakest. */
const PRECEDENCE = [
  { env: { LIVEKIT_SECRET_FILE: "/f/old" }, text: "old" },
  { env: { LIVEKIT_SECRET_FROM_FILE: "/f/from" }, text: "from" },
  { env: { LIVEKIT_SECRET: "inline" }, text: "inline" },
  { env: { CREDENTIALS_DIRECTORY: "/creds/" }, text: "credential" },
  { env: { LIVEKIT_API_SECRET: "alias" }, text: "alias" },
];
const FILES = { "/f/old": "old", "/f/from": " from\r\n", "/creds/LIVEKIT_SECRET": "credential\n" };

for (const [index, { text }] of PRECEDENCE.entries()) {
  Deno.test(`findValue() takes "${text}" when nothing stronger is there`, () => {
    const env = Object.assign({}, ...PRECEDENCE.slice(index).map((each) => each.env));
    const found = find("LIVEKIT_SECRET", env, FILES);
    assertEquals(found.text, text);
    assertEquals(found.findings.faults, []);
  });
}

Deno.test("findValue() says that an inline secret is ignored beside a file", () => {
  const env = { LIVEKIT_SECRET: "inline", LIVEKIT_SECRET_FROM_FILE: "/f/from" };
  const { warnings } = find("LIVEKIT_SECRET", env, FILES).findings;
  assertEquals(warnings.map(({ message }) => message), [
    "LIVEKIT_SECRET is ignored because LIVEKIT_SECRET_FROM_FILE is set too.",
  ]);
});

const UNREADABLE = [
  { name: "missing", file: new Deno.errors.NotFound(), says: "there is no such file" },
  { name: "forbidden", file: new Deno.errors.PermissionDenied(), says: "permission" },
  { name: "a folder", file: new Deno.errors.IsADirectory(), says: "it is a folder" },
  { name: "not granted", file: new Deno.errors.NotCapable(), says: "not given access" },
  { name: "unreadable in another way", file: new TypeError("/f/x"), says: "(TypeError)" },
  {
    name: "forbidden to Node",
    file: Object.assign(new Error(), { code: "EACCES" }),
    says: "denied",
  },
  { name: "empty", file: " \r\n", says: "the file is empty" },
  { name: "too large", file: "a".repeat(64 * 1024 + 1), says: "larger than 64 KiB" },
];
for (const { name, file, says } of UNREADABLE) {
  Deno.test(`findValue() names variable and path of a file that is ${name}`, () => {
    const env = { LIVEKIT_SECRET_FROM_FILE: "/f/x", LIVEKIT_SECRET: "inline" };
    const { text, findings } = find("LIVEKIT_SECRET", env, { "/f/x": file });
    assertEquals(text, undefined);
    const [fault, ...others] = findings.faults;
    assertEquals(others, []);
    assertEquals(fault?.variable, "LIVEKIT_SECRET_FROM_FILE");
    assertStringIncludes(fault!.message, 'LIVEKIT_SECRET_FROM_FILE is "/f/x": ');
    assertStringIncludes(fault!.message, says);
    assert(findings.isFaulty("LIVEKIT_SECRET"));
  });
}

Deno.test("findValue() takes a file of 64 KiB", () => {
  const file = "a".repeat(64 * 1024);
  const { text } = find("LIVEKIT_SECRET", { LIVEKIT_SECRET_FROM_FILE: "/f" }, { "/f": file });
  assertEquals(text, file);
});

Deno.test("findValue() drops a byte order mark", () => {
  const env = { LIVEKIT_SECRET_FROM_FILE: "/f" };
  assertEquals(find("LIVEKIT_SECRET", env, { "/f": "\uFEFFsecret" }).text, "secret");
});

Deno.test("findValue() does not show what stands where a path belongs", () => {
  const { findings } = find("LIVEKIT_SECRET", { LIVEKIT_SECRET_FROM_FILE: "hunter2" });
  assertStringIncludes(findings.faults[0]!.message, "not shown, it is no absolute path");
});

Deno.test("findValue() does without a credential that does not exist", () => {
  const { text, findings } = find("LIVEKIT_AS_TOKEN", { CREDENTIALS_DIRECTORY: "/creds" }, FILES);
  assertEquals([text, findings.faults.length], [undefined, 0]);
});

Deno.test("findValue() reports a credential that cannot be read", () => {
  const { findings } = find("LIVEKIT_AS_TOKEN", { CREDENTIALS_DIRECTORY: "/creds" }, {
    "/creds/LIVEKIT_AS_TOKEN": new Deno.errors.PermissionDenied(),
  });
  assertStringIncludes(findings.faults[0]!.message, '"/creds/LIVEKIT_AS_TOKEN": permission');
});

Deno.test("findValue() looks for credentials of secrets only", () => {
  const env = { CREDENTIALS_DIRECTORY: "/creds", LIVEKIT_URL_FROM_FILE: "/creds/LIVEKIT_URL" };
  assertEquals(find("LIVEKIT_URL", env, { "/creds/LIVEKIT_URL": "wss://a" }).text, undefined);
});

for (const name of ["LIVEKIT_JWT_PORT", "LK_JWT_PORT"]) {
  Deno.test(`findValue() makes a bind address of ${name} and advises the new name`, () => {
    const { text, source, findings } = find("LIVEKIT_JWT_BIND", { [name]: "8090" });
    assertEquals([text, source], [":8090", `environment (${name})`]);
    assertStringIncludes(findings.warnings[0]!.message, "LIVEKIT_JWT_BIND");
  });

  Deno.test(`findValue() ignores ${name} when Kubernetes has set it`, () => {
    const { text, findings } = find("LIVEKIT_JWT_BIND", { [name]: "tcp://10.0.0.1:8080" });
    assertEquals([text, findings.faults.length], [undefined, 0]);
    assertStringIncludes(findings.warnings[0]!.message, "Kubernetes");
  });
}

Deno.test("findValue() prefers the new name of the full access list", () => {
  const { text, findings } = find("LIVEKIT_FULL_ACCESS_HOMESERVERS", {
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "new.example",
    LIVEKIT_LOCAL_HOMESERVERS: "old.example",
  });
  assertEquals(text, "new.example");
  assertEquals(findings.warnings.map(({ variable }) => variable), ["LIVEKIT_LOCAL_HOMESERVERS"]);
});
