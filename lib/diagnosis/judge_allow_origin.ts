import type { Finding } from "./check.ts";
import { fail } from "./finding.ts";
import type { Answer } from "./probe.ts";

/** What browsers send along when a web client asks. */
export const ORIGIN = "https://call.example";

/**
 * Judges whether web clients may read an answer: one `Access-Control-Allow-Origin` that is `*` or
 * their origin.
 *
 * @param whose What answers, for people.
 * @returns What is wrong, or `undefined`.
 */
export function judgeAllowOrigin(
  answer: Pick<Answer, "header">,
  whose: string,
): Finding | undefined {
  const values = answer.header("access-control-allow-origin")
    .flatMap((line) => line.split(",")).map((value) => value.trim());
  if (values.length > 1) {
    return fail(
      `${whose} has Access-Control-Allow-Origin ${values.length} times (${values.join(", ")})`,
      "Send Access-Control-Allow-Origin once: the proxy adds what is there already; " +
        "browsers then refuse the answer.",
    );
  }
  const [value] = values;
  if (value === undefined) {
    return fail(
      `${whose} has no Access-Control-Allow-Origin`,
      "Send Access-Control-Allow-Origin: * there, once: without it web clients cannot read it.",
    );
  }
  if (value === "*" || value === ORIGIN) return undefined;
  return fail(
    `${whose} allows "${value}" only`,
    "Send Access-Control-Allow-Origin: *, for clients are served from anywhere.",
  );
}
