/** D: this service, as clients reach it: through whatever is in front of it. */

import { isIP } from "node:net";
import type { Check, Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { skip } from "../finding.ts";
import { ORIGIN } from "../judge_allow_origin.ts";
import type { Exchange, ProbeRequest } from "../probe.ts";
import { delegationState, judgeDelegate } from "./judge_delegate.ts";
import { judgeHealth, judgeTokenEndpoint } from "./judge_endpoint.ts";
import { judgeFamilies } from "./judge_families.ts";
import { judgeLargeBody } from "./judge_large_body.ts";
import { judgePreflight } from "./judge_preflight.ts";

const PATHS = ["/get_token", "/sfu/get", "/delegate_delayed_leave"] as const;
/** More than browsers ever send, less than the service takes. */
const LARGE_BYTES = 20 * 1024;
const MAX_ADDRESSES = 4;
const JSON_HEADERS = { "content-type": "application/json", origin: ORIGIN };
const EMPTY_POST: ProbeRequest = { method: "POST", headers: JSON_HEADERS, body: "{}" };
const PREFLIGHT: ProbeRequest = {
  method: "OPTIONS",
  headers: {
    origin: ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
  },
};

/** The checks; all of them ask the address that clients are given. */
export function serviceChecks(): Check<DoctorContext>[] {
  return [
    check("D1", "alive behind the proxy", async (url, { probe }) => {
      const health = `${url}/healthz`;
      return judgeHealth(await probe(health), health);
    }),
    ...PATHS.map((path) => ({
      ...check("D2", "CORS", async (base, context) => {
        const url = base + path;
        const preflight = await context.probe(url, PREFLIGHT);
        return judgePreflight({ url, preflight, post: await post(url, context) });
      }),
      subject: path,
    })),
    check("D3", "/sfu/get, for older clients", async (base, context) => {
      const url = `${base}/sfu/get`;
      const get = await context.probe(url, { headers: { origin: ORIGIN } });
      return judgeTokenEndpoint(await post(url, context), get, url);
    }),
    check("D4", "/get_token", async (base, context) => {
      const url = `${base}/get_token`;
      return judgeTokenEndpoint(await post(url, context), undefined, url);
    }),
    check("D5", "/delegate_delayed_leave", async (base, context) => {
      const url = `${base}/delegate_delayed_leave`;
      const state = delegationState(context.config.delegation);
      return judgeDelegate(await post(url, context), url, state);
    }),
    check("D6", "large bodies", async (base, { probe }) => {
      const url = `${base}/sfu/get`;
      const body = JSON.stringify({ padding: "x".repeat(LARGE_BYTES) });
      const exchange = await probe(url, { method: "POST", headers: JSON_HEADERS, body });
      return judgeLargeBody(exchange, url, LARGE_BYTES);
    }),
    check("D7", "every address", checkFamilies),
  ];
}

function check(
  id: `D${number}`,
  title: string,
  run: (url: string, context: DoctorContext) => Promise<Finding>,
): Check<DoctorContext> {
  return {
    id,
    title,
    run: async (context) => {
      const service = await context.facts.ownService();
      if (service !== undefined) return await run(service.url, context);
      return skip("where clients reach the service is not known: --public-url URL, or see C2");
    },
  };
}

/** Several checks look at the same answer. */
function post(url: string, { once, probe }: DoctorContext): Promise<Exchange> {
  return once(`POST {} ${url}`, () => probe(url, EMPTY_POST));
}

async function checkFamilies(base: string, { probe, lookup }: DoctorContext): Promise<Finding> {
  const url = `${base}/sfu/get`;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return skip(`${host} is an address, not a name`);
  const addresses = [...new Set(await lookup(host).catch(() => []))].slice(0, MAX_ADDRESSES);
  const answers = addresses.map(async (address) => ({
    address,
    exchange: await probe(url, { ...EMPTY_POST, address }),
  }));
  return judgeFamilies(await Promise.all(answers));
}
