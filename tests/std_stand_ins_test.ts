// Where JSR answers, these lines check our declarations of @std against the real ones.
import * as assert from "@std/assert";
import * as dotenv from "@std/dotenv/parse";
import * as negotiation from "@std/http/negotiation";
import * as status from "@std/http/status";
import type * as assertStandIn from "../tools/std/assert.ts";
import type * as dotenvStandIn from "../tools/std/dotenv_parse.ts";
import type * as negotiationStandIn from "../tools/std/http_negotiation.ts";
import type * as statusStandIn from "../tools/std/http_status.ts";

Deno.test("the stand-ins of tools/std have the types of @std", () => {
  assert satisfies typeof assertStandIn;
  dotenv satisfies typeof dotenvStandIn;
  negotiation satisfies typeof negotiationStandIn;
  status satisfies typeof statusStandIn;
});

Deno.test("the dotenv parser reads what operators write", () => {
  const text = "A=1\n# comment\nexport B='two words'\nC=\"line\\nbreak\"\n\nD=\n";
  assert.assertEquals(dotenv.parse(text), { A: "1", B: "two words", C: "line\nbreak", D: "" });
});
