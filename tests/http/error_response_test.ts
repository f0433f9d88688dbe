import { assertEquals } from "@std/assert";
import { errorReply, MethodNotAllowedError } from "../../lib/http/error_response.ts";
import {
  ForbiddenError,
  InternalError,
  InvalidRequestError,
  MatrixError,
  UnauthorizedError,
  UnavailableError,
  UpstreamError,
} from "../../lib/matrix/errors.ts";

const cause = new Error("token=secret at 10.0.0.1");

const REPLIES: { error: unknown; status: number; errcode: string; text: string }[] = [
  {
    error: new InvalidRequestError("M_NOT_JSON", "Error reading request", { cause }),
    status: 400,
    errcode: "M_NOT_JSON",
    text: "Error reading request",
  },
  {
    error: new InvalidRequestError("M_BAD_JSON", "Missing x"),
    status: 400,
    errcode: "M_BAD_JSON",
    text: "Missing x",
  },
  {
    error: new InvalidRequestError("M_TOO_LARGE", "large"),
    status: 413,
    errcode: "M_TOO_LARGE",
    text: "large",
  },
  {
    error: new UnauthorizedError({ cause }),
    status: 401,
    errcode: "M_UNAUTHORIZED",
    text: "The request could not be authorised.",
  },
  { error: new ForbiddenError("no"), status: 403, errcode: "M_FORBIDDEN", text: "no" },
  {
    error: new InternalError("Unable to create room on SFU", { cause }),
    status: 500,
    errcode: "M_UNKNOWN",
    text: "Unable to create room on SFU",
  },
  {
    error: new MatrixError("M_UNRECOGNIZED", 404, "Unrecognized request"),
    status: 404,
    errcode: "M_UNRECOGNIZED",
    text: "Unrecognized request",
  },
  {
    error: new UpstreamError("dns", "10.0.0.1 refused"),
    status: 500,
    errcode: "M_UNKNOWN",
    text: "Internal Server Error",
  },
  { error: cause, status: 500, errcode: "M_UNKNOWN", text: "Internal Server Error" },
  { error: undefined, status: 500, errcode: "M_UNKNOWN", text: "Internal Server Error" },
];

for (const { error, status, errcode, text } of REPLIES) {
  const name = error instanceof Error ? error.name : String(error);
  Deno.test(`errorReply() turns ${name} into ${status} ${errcode} without its cause`, () => {
    assertEquals(errorReply(error), {
      status,
      body: { errcode, error: text },
      headers: { "access-control-expose-headers": "X-Request-Id, Retry-After" },
    });
  });
}

Deno.test("errorReply() tells when to come again, and with which method", () => {
  const busy = errorReply(new UnavailableError("later", 3));
  assertEquals([busy.status, busy.headers["retry-after"]], [503, "3"]);
  const refused = errorReply(new MethodNotAllowedError(["GET", "HEAD"]));
  assertEquals([refused.status, refused.headers.allow], [405, "GET, HEAD"]);
});
