import type { Finding } from "../check.ts";
import { fail, pass, skip, warn } from "../finding.ts";
import { describeExchange } from "../describe_answer.ts";
import type { Exchange } from "../probe.ts";

const GOOD_S = 5;
const BAD_S = 60;

/** B4: do the clocks of this machine and another server agree. */
export function judgeClock(exchange: Exchange): Finding {
  if (!exchange.answered) return skip(describeExchange(exchange));
  const date = Date.parse(exchange.header("date")[0] ?? "");
  if (Number.isNaN(date)) return skip("the answer has no Date");
  // The header has whole seconds only, and was written somewhen during the exchange.
  const earliest = exchange.receivedAt - exchange.ms - 1_000;
  const off = date > exchange.receivedAt
    ? date - exchange.receivedAt
    : date < earliest
    ? date - earliest
    : 0;
  const seconds = Math.round(Math.abs(off) / 1000);
  if (seconds <= GOOD_S) return pass(`${seconds} s apart`);
  const seen = `this clock is ${seconds} s ${off > 0 ? "behind" : "ahead"}`;
  const remedy = `Clocks differ by ${seconds} s, and LiveKit allows about one minute on tokens: ` +
    "run NTP (timedatectl set-ntp true) on both machines.";
  return seconds > BAD_S ? fail(seen, remedy) : warn(seen, remedy);
}
