import { assertEquals, assertThrows } from "@std/assert";
import { createHsTokenCheck } from "../../lib/http/hs_token.ts";
import { AccessTokenError } from "../../lib/matrix/errors.ts";
import { Secret } from "../../lib/secret.ts";

const TOKEN = "hs_token_0123456789";
const check = createHsTokenCheck(new Secret(TOKEN));

for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer   ${TOKEN} `]) {
  Deno.test(`createHsTokenCheck() lets "${authorization}" pass`, () => {
    check(new Headers({ authorization }));
  });
}

const WRONG: [authorization: string | undefined, errcode: string][] = [
  [undefined, "M_MISSING_TOKEN"],
  ["", "M_MISSING_TOKEN"],
  ["Bearer", "M_MISSING_TOKEN"],
  ["Bearer ", "M_MISSING_TOKEN"],
  [TOKEN, "M_MISSING_TOKEN"],
  [`Basic ${TOKEN}`, "M_MISSING_TOKEN"],
  [`Bearer ${TOKEN}, Bearer ${TOKEN}`, "M_MISSING_TOKEN"],
  [`Bearer ${TOKEN}x`, "M_UNKNOWN_TOKEN"],
  [`Bearer ${TOKEN.slice(0, -1)}`, "M_UNKNOWN_TOKEN"],
  [`Bearer ${TOKEN.toUpperCase()}`, "M_UNKNOWN_TOKEN"],
  ["Bearer \u00e9", "M_UNKNOWN_TOKEN"],
  [`Bearer ${"a".repeat(10_000)}`, "M_UNKNOWN_TOKEN"],
];

for (const [authorization, errcode] of WRONG) {
  Deno.test(`createHsTokenCheck() answers ${errcode} to "${authorization?.slice(0, 60)}"`, () => {
    const headers = new Headers(authorization === undefined ? {} : { authorization });
    const error = assertThrows(() => check(headers), AccessTokenError);
    assertEquals([error.status, error.errcode], [401, errcode]);
    assertEquals(error.message.includes(TOKEN), false);
  });
}
