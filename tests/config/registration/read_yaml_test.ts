import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import { readYamlMapping } from "../../../lib/config/registration/read_yaml.ts";

const ENTRIES = [
  { name: "plain text", text: "a: b\n", value: "b" },
  { name: "double quotes and escapes", text: 'a: "b\\u0021"', value: "b!" },
  { name: "flow style", text: "{a: [b, {c: d}]}", value: ["b", new Map([["c", "d"]])] },
  { name: "null", text: "a: null", value: null },
  { name: "line ends of Windows", text: "# x\r\na: b\r\n", value: "b" },
  { name: "a document's beginning and end", text: "%YAML 1.2\n---\na: b\n...\n", value: "b" },
  { name: "a few aliases", text: "x: &x [b]\na: *x\n", value: ["b"] },
  { name: "merged mappings", text: "x: &x {a: b}\n<<: *x\n", value: "b" },
  { name: "a key that objects have", text: "__proto__: {a: c}\na: b\n", value: "b" },
];
for (const { name, text, value } of ENTRIES) {
  Deno.test(`readYamlMapping() understands ${name}`, () => {
    assertEquals(readYamlMapping(text).get("a"), value);
  });
}

const bomb = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"];
for (let i = 0; i < 9; i++) {
  bomb.push(`b${i}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`);
}
const REFUSALS = [
  { name: "text without a colon", text: "hunter2", says: "holds no lines of key: value" },
  { name: "a list", text: "- hunter2", says: "holds no lines of key: value" },
  { name: "comments only", text: "# hunter2", says: "holds no lines of key: value" },
  {
    name: "no end of quotes",
    text: 'x: y\na: "hunter2\n',
    says: /^line 3 is no valid YAML \([A-Z_]+\)$/,
  },
  {
    name: "a wrong indent",
    text: "a:\n   b: c\n  hunter2: d",
    says: /^line [23] is no valid YAML/,
  },
  { name: "a tab as indent", text: "a:\n\tb: hunter2", says: "line 2 is no valid YAML" },
  {
    name: "a key that comes twice",
    text: "a: b\nc: d\na: hunter2",
    says: "line 3 is no valid YAML (DUPLICATE_KEY)",
  },
  {
    name: "two documents",
    text: "a: hunter2\n---\na: hunter2",
    says: "line 2 is no valid YAML (MULTIPLE_DOCS)",
  },
  {
    name: "an unknown tag",
    text: "a: !!python/object:hunter2 b",
    says: "line 1 is no valid YAML (TAG_RESOLVE_FAILED)",
  },
  {
    name: "an alias of nothing",
    text: "a: *hunter2",
    says: "aliases are too many, or lead nowhere",
  },
  {
    name: "a bomb of aliases",
    text: bomb.join("\n"),
    says: "aliases are too many, or lead nowhere",
  },
  { name: "a mapping merged into itself", text: "a: &a\n  <<: *a\n", says: "aliases" },
  {
    name: "brackets by the thousand",
    text: `a: ${"[".repeat(60_000)}`,
    says: /nested too deeply|is no valid YAML/,
  },
  {
    name: "dashes by the thousand",
    text: "- ".repeat(30_000),
    says: /nested too deeply|is no valid YAML/,
  },
  {
    name: "questions by the thousand",
    text: "? ".repeat(30_000),
    says: /nested too deeply|is no valid YAML/,
  },
];
for (const { name, text, says } of REFUSALS) {
  Deno.test(`readYamlMapping() refuses ${name} and quotes nothing`, () => {
    const { message } = assertThrows(() => readYamlMapping(text), InvalidValueError);
    if (typeof says === "string") assert(message.includes(says), message);
    else assert(says.test(message), message);
    assert(!message.includes("hunter2") && !/[.\n]$/.test(message));
  });
}

Deno.test("readYamlMapping() throws nothing but InvalidValueError, and quotes nothing", () => {
  const part = fc.constantFrom(
    ...[
      "hunter2",
      "a",
      ": ",
      ":",
      "\n",
      "\n  ",
      "\n    ",
      "- ",
      "? ",
      "&a ",
      "*a",
      "<<: ",
      "!!",
      "! ",
    ],
    ...[
      "!!binary ",
      "|\n",
      ">-\n",
      "[",
      "]",
      "{",
      "}",
      ", ",
      '"',
      "'",
      "#",
      " #",
      "%",
      "---\n",
      "...\n",
    ],
    ...[
      "\t",
      "\r",
      "\0",
      "\u{feff}",
      "\u{85}",
      "\u{2028}",
      "😀",
      "\\u",
      "0x1",
      "1e999",
      "~",
      "@",
      "`",
    ],
  );
  const texts = fc.oneof(
    fc.array(part, { maxLength: 40 }).map((parts) => parts.join("")),
    fc.string(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        assert(readYamlMapping(text) instanceof Map);
      } catch (error) {
        assertInstanceOf(error, InvalidValueError);
        assert(!error.message.includes("hunter2"), error.message);
        assert(error.message.length < 100 && /^[\x20-\x7e]+$/.test(error.message), error.message);
      }
    }),
    { numRuns: 2000 },
  );
});
