import { assert, assertStringIncludes } from "@std/assert";
import { parseArguments } from "../../lib/cli/arguments.ts";
import { helpText } from "../../lib/cli/help.ts";

Deno.test("helpText() of the program lists every command that it understands", () => {
  const text = helpText();
  const commands = [...text.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}\S/gm)].map(([, name]) =>
    name!
  );
  assert(commands.length >= 5);
  for (const name of commands) {
    const { command } = parseArguments([...name.split(" "), "--help"]);
    assertStringIncludes(helpText(command!.name), `Usage: matrixrtc-auth`);
    assertStringIncludes(helpText(command!.name), name);
  }
});

Deno.test("helpText() fits a terminal of 100 columns", () => {
  const names = [
    "serve",
    "config",
    "config registration",
    "doctor",
    "healthcheck",
    "version",
  ] as const;
  for (const name of [undefined, ...names]) {
    for (const line of helpText(name).split("\n")) assert(line.length <= 100, line);
  }
});
