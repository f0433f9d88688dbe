import { isIP } from "node:net";
import type { Finding } from "../check.ts";
import { describeExchange, errcodeOf, lookOf } from "../describe_answer.ts";
import { fail, pass, skip } from "../finding.ts";
import type { Exchange } from "../probe.ts";

/** The same request, sent to one of the host's addresses. */
export interface AddressAnswer {
  readonly address: string;
  readonly exchange: Exchange;
}

/** D7: do all addresses, of both families, lead to the same program. */
export function judgeFamilies(answers: readonly AddressAnswer[]): Finding {
  const [first, ...others] = answers;
  if (first === undefined) return skip("the host has no address (B1)");
  const families = new Set(answers.map(({ address }) => isIP(address)));
  if (others.length === 0) return skip(`one address only, ${first.address}`);
  // Whether they can be connected to at all is told by B2.
  const answered = answers.filter(({ exchange }) => exchange.answered);
  const kinds = new Set(answered.map(({ exchange }) => kindOf(exchange)));
  if (kinds.size > 1) {
    const evidence = answers.map(({ address, exchange }) =>
      `${address}: ${describeExchange(exchange)}`
    );
    return fail(
      evidence.join("; "),
      "Addresses lead to different programs: let the proxy listen for this name on IPv4 and IPv6 " +
        "alike, or remove the address that is not its own from DNS.",
    );
  }
  if (answered.length < answers.length) {
    return skip(`${answered.length} of ${answers.length} addresses answer (B2)`);
  }
  const both = families.size > 1 ? ", IPv4 and IPv6" : "";
  return pass(`the same on ${answers.length} addresses${both}`);
}

function kindOf(exchange: Exchange): string {
  if (!exchange.answered) return "";
  return `${exchange.status} ${lookOf(exchange)} ${errcodeOf(exchange) ?? ""}`;
}
