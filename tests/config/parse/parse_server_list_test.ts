import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InvalidValueError } from "../../../lib/config/parse/invalid_value.ts";
import { parseFullAccess } from "../../../lib/config/parse/parse_server_list.ts";

function parse(text: string): { names: readonly string[]; warnings: string[] } {
  const warnings: string[] = [];
  const context = { warn: (message: string) => void warnings.push(message), readFile: () => "" };
  return { names: parseFullAccess(text, context), warnings };
}

const LISTS = [
  { text: "a.example", names: ["a.example"], warning: undefined },
  { text: "a.example, b.example:8448\n[::1]", names: ["a.example", "b.example:8448", "[::1]"] },
  { text: "a.example,,a.example,", names: ["a.example"] },
  { text: "Example.org", names: ["Example.org"] },
  { text: "*", names: ["*"], warning: "every Matrix server" },
  { text: " *, ", names: ["*"], warning: "every Matrix server" },
  { text: "*,a.example", names: ["a.example"], warning: "counts only when alone" },
  { text: ",", names: [], warning: "nobody has full access" },
  { text: "synapse:8008", names: ["synapse:8008"], warning: "looks like a container" },
  { text: "localhost", names: ["localhost"] },
];
for (const { text, names, warning } of LISTS) {
  Deno.test(`parseFullAccess() reads ${JSON.stringify(text)}`, () => {
    const parsed = parse(text);
    assertEquals(parsed.names, names);
    assertEquals(parsed.warnings.length, warning === undefined ? 0 : 1);
    assertStringIncludes(parsed.warnings[0] ?? "", warning ?? "");
  });
}

Deno.test("parseFullAccess() says what is wrong with an entry", () => {
  assertThrows(() => parse("a,https://b"), InvalidValueError, '"https://b" has a scheme or slash');
  assertThrows(() => parse("a,b_c"), InvalidValueError, '"b_c" is no Matrix server name');
});
