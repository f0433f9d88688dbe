import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import { parseRegistrationFile } from "../../../lib/config/registration/parse_registration.ts";

const TOKENS = "as_token: hunter2-hunter2-as\nhs_token: hunter2-hunter2-hs\n";
const COMPLETE = `${TOKENS}
id: matrixrtc-auth
url: null
sender_localpart: matrixrtc-auth
namespaces:
  users:
    - exclusive: false
      regex: '@.*:example\\.org'
io.element.msc4502.scopes:
  - urn:matrix:client:io.element.msc4502:rooms:is_joined
io.element.msc4512.proxy_prefix: rtc/livekit
io.element.msc4512.proxy_url: http://auth:8080
`;

function parse(text: string) {
  const warnings: string[] = [];
  const context = { warn: (message: string) => void warnings.push(message), readFile: () => text };
  return { ...parseRegistrationFile("/run/registration.yaml", context), warnings };
}

Deno.test("parseRegistrationFile() finds nothing odd about a complete registration", () => {
  const { asToken, hsToken, warnings } = parse(COMPLETE);
  assertEquals([asToken.reveal(), hsToken.reveal()], ["hunter2-hunter2-as", "hunter2-hunter2-hs"]);
  assertEquals(warnings, []);
});

const REFUSALS = [
  { name: "no token at all", text: "id: hunter2", says: "the file has no as_token" },
  {
    name: "one token alone",
    text: "as_token: hunter2-hunter2-as",
    says: "the file has no hs_token",
  },
  {
    name: "an empty token",
    text: `${TOKENS}`.replace("hunter2-hunter2-as", '""'),
    says: "no as_token",
  },
  { name: "a token that is null", text: "as_token: ~\nhs_token: hunter2", says: "no as_token" },
  {
    name: "a number",
    text: "as_token: 123456789012345678901234567890",
    says: "as_token in the file is no text",
  },
  { name: "a switch", text: "as_token: true", says: "as_token in the file is no text" },
  { name: "a list", text: "as_token: [hunter2]", says: "as_token in the file is no text" },
  {
    name: "a mapping",
    text: "as_token: {hunter2: hunter2}",
    says: "as_token in the file is no text",
  },
  {
    name: "two words",
    text: "as_token: hunter2 hunter2",
    says: "as_token in the file is no token: it holds a blank",
  },
  {
    name: "two lines",
    text: "as_token: |\n  hunter2\n  x",
    says: "as_token in the file is no token",
  },
  {
    name: "letters that no header can have",
    text: "as_token: hunter2-Wört",
    says: "as_token in the file is no token",
  },
  {
    name: "a token without end",
    text: `as_token: ${"hunter2".repeat(200)}`,
    says: "more than 1024 characters",
  },
  {
    name: "tokens of another level",
    text: "a:\n  as_token: hunter2",
    says: "the file has no as_token",
  },
];
for (const { name, text, says } of REFUSALS) {
  Deno.test(`parseRegistrationFile() refuses ${name} and quotes nothing`, () => {
    const { message } = assertThrows(() => parse(text), InvalidValueError);
    assertStringIncludes(message, says);
    assert(!message.includes("hunter2"));
  });
}

const WITHOUT = (key: string) => COMPLETE.replace(new RegExp(`^${key}:.*\\n(?: .*\\n)*`, "m"), "");
const ODD: { name: string; text: string; says: string[] }[] = [
  {
    name: "no scopes",
    text: WITHOUT("io.element.msc4502.scopes"),
    says: ["does not list urn:matrix"],
  },
  {
    name: "another scope",
    text: COMPLETE.replace("rooms:is_joined", "rooms"),
    says: ["does not list urn:matrix"],
  },
  {
    name: "a scope that is no list",
    text: COMPLETE.replace("scopes:\n  - ", "scopes: "),
    says: ["does not list urn:matrix"],
  },
  {
    name: "unprefixed keys",
    text: COMPLETE.replaceAll(/io\.element\.msc4(502|512)\./g, ""),
    says: ["has a key scopes", "has a key proxy_prefix", "has a key proxy_url"],
  },
  {
    name: "the singular",
    text: COMPLETE.replace("msc4502.scopes", "msc4502.scope"),
    says: ["the name is io.element.msc4502.scopes"],
  },
  { name: "both names", text: `${COMPLETE}scopes: []\n`, says: [] },
  {
    name: "no prefix",
    text: WITHOUT("io.element.msc4512.proxy_prefix"),
    says: ["does not have rtc/livekit as io.element.msc4512.proxy_prefix"],
  },
  {
    name: "a deeper prefix",
    text: COMPLETE.replace("rtc/livekit", "rtc/livekit/x"),
    says: ["does not have rtc/livekit as io.element.msc4512.proxy_prefix"],
  },
  {
    name: "a slash behind the prefix",
    text: COMPLETE.replace("rtc/livekit", "rtc/livekit/"),
    says: [],
  },
  {
    name: "no address",
    text: WITHOUT("io.element.msc4512.proxy_url"),
    says: ["has no io.element.msc4512.proxy_url"],
  },
  {
    name: "an address for events",
    text: COMPLETE.replace("url: null", "url: http://auth:8080"),
    says: ["Write url: null"],
  },
  { name: "no namespaces", text: WITHOUT("namespaces"), says: ["has no users in its namespaces"] },
  {
    name: "no users in the namespaces",
    text: COMPLETE.replace("users:", "rooms:"),
    says: ["has no users in its namespaces"],
  },
  {
    name: "all users for itself",
    text: COMPLETE.replace("exclusive: false", "exclusive: true"),
    says: ["Write exclusive: false"],
  },
  {
    name: "short tokens",
    text: COMPLETE.replaceAll("hunter2-hunter2", "hunter2"),
    says: ["has an as_token that gives", "has an hs_token that gives"],
  },
];
for (const { name, text, says } of ODD) {
  Deno.test(`parseRegistrationFile() ${says.length === 0 ? "takes" : "warns about"} ${name}`, () => {
    const { warnings } = parse(text);
    assertEquals(warnings.length, says.length, warnings.join("\n"));
    says.forEach((part, index) => assertStringIncludes(warnings[index]!, part));
    for (const warning of warnings) assert(!warning.includes("hunter2") && !warning.endsWith("."));
  });
}

Deno.test("parseRegistrationFile() throws nothing but InvalidValueError, and quotes nothing", () => {
  const value = fc.constantFrom(
    ...[
      "hunter2",
      '"hunter2',
      "[hunter2]",
      "{hunter2: {}}",
      "&a hunter2",
      "*a",
      "!hunter2 x",
      "|\n hunter2",
    ],
    ...[
      "1e9",
      "0x7f",
      "true",
      "null",
      "",
      "'hunter2'hunter2",
      "- hunter2",
      "hunter2: hunter2",
      "\0hunter2",
    ],
  );
  const key = fc.constantFrom(
    ...["as_token", "hs_token", "url", "namespaces", "scopes", "io.element.msc4502.scopes", "<<"],
    ...["io.element.msc4512.proxy_prefix", "__proto__", "constructor", "hunter2", "? [hunter2]"],
  );
  const lines = fc.array(fc.tuple(key, value), { maxLength: 8 }).map((pairs) =>
    pairs.map(([key, value]) => `${key}: ${value}\n`).join("")
  );
  fc.assert(
    fc.property(lines, (text) => {
      try {
        for (const warning of parse(text).warnings) assert(!warning.includes("hunter2"), warning);
      } catch (error) {
        assertInstanceOf(error, InvalidValueError);
        assert(!error.message.includes("hunter2"), error.message);
      }
    }),
    { numRuns: 2000 },
  );
});
