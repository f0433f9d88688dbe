import { assertEquals } from "@std/assert";
import { describeAnswer } from "../../lib/diagnosis/describe_answer.ts";
import { answer } from "./support/answer.ts";

const html = { "content-type": "text/html; charset=utf-8" };
const TOKEN = "syt_YWxpY2U_xPdRzVnKqWmTbLcHjGfD_0aBcDe";

for (
  const [parts, words] of [
    [{ status: 404, body: { errcode: "M_UNRECOGNIZED" } }, "404 M_UNRECOGNIZED"],
    [{ status: 400, body: { errcode: `no ${TOKEN}` } }, "400 with an odd errcode"],
    [{ body: { jwt: TOKEN } }, "200 with JSON"],
    [{ status: 204 }, "204 without content"],
    [{ body: "OK\n" }, '200 "OK"'],
    [{ status: 404, body: "404 page not found\n" }, '404 with "404 page not found"'],
    [{ status: 500, body: `bad token ${TOKEN}` }, "500 with text"],
    [{ body: "<html><title>Sign in\n</title>", headers: html }, '200 with a web page ("Sign in")'],
    [{ body: `<!DOCTYPE html><title>${TOKEN}</title>` }, "200 with a web page"],
    [
      { status: 302, headers: { location: `https://sso.example/in?token=${TOKEN}` } },
      "302, a redirect to https://sso.example/in",
    ],
  ] as const
) {
  Deno.test(`describeAnswer() says "${words}"`, () => {
    assertEquals(describeAnswer(answer(parts)), words);
  });
}
