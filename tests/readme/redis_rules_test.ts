// The rules for a user of Redis, as docs/delegated-leaves.md and the log tell them.

import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { ROOT } from "../support/service.ts";

Deno.test("docs/delegated-leaves.md gives the rules that the service asks for", async () => {
  const read = (path: string) => Deno.readTextFile(join(ROOT, path));
  const docs = /ACL SETUSER matrixrtc on >password ([^`]+)/.exec(
    await read("docs/delegated-leaves.md"),
  );
  const code = /RULES_FOR_REPLICAS =([^;]+);/.exec(
    await read("lib/delayed_leave/stores/redis_store.ts"),
  );
  assert(docs && code);
  const words = (text: string) => text.replace(/["+]\s*\+\s*\n?\s*"/g, "").match(/[~&+][\w:*-]+/g);
  assertEquals(words(docs[1]!), words(code[1]!));
});
