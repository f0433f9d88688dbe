import { assertEquals, assertInstanceOf } from "@std/assert";
import {
  ForbiddenError,
  InternalError,
  InvalidRequestError,
  MatrixError,
  UnauthorizedError,
  UnavailableError,
  UpstreamError,
} from "../../lib/matrix/errors.ts";

const cause = new Error("cause");
const errors: [MatrixError, string, number, string][] = [
  [new InvalidRequestError("M_NOT_JSON", "a"), "M_NOT_JSON", 400, "a"],
  [new InvalidRequestError("M_BAD_JSON", "b"), "M_BAD_JSON", 400, "b"],
  [new InvalidRequestError("M_TOO_LARGE", "c"), "M_TOO_LARGE", 413, "c"],
  [
    new UnauthorizedError({ cause }),
    "M_UNAUTHORIZED",
    401,
    "The request could not be authorised.",
  ],
  [new ForbiddenError("d"), "M_FORBIDDEN", 403, "d"],
  [new InternalError("e", { cause }), "M_UNKNOWN", 500, "e"],
  [new UnavailableError("f", 3), "M_UNKNOWN", 503, "f"],
];
for (const [error, errcode, status, message] of errors) {
  Deno.test(`${error.name} ${errcode} means ${status}`, () => {
    assertInstanceOf(error, MatrixError);
    assertEquals([error.errcode, error.status, error.message], [errcode, status, message]);
    assertEquals(error.name, error.constructor.name);
  });
}

Deno.test("UnauthorizedError keeps its cause to itself", () => {
  const error = new UnauthorizedError({ cause: new UpstreamError("dns", "no such name") });
  assertEquals(`${error}`, "UnauthorizedError: The request could not be authorised.");
  assertInstanceOf(error.cause, UpstreamError);
});

Deno.test("UpstreamError names the hop and reaches no client", () => {
  const error = new UpstreamError("tls", "no TLS with example.org", { cause });
  assertEquals([error.hop, error.name, error.cause], ["tls", "UpstreamError", cause]);
  assertEquals(error instanceof MatrixError, false);
});
