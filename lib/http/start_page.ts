import { accepts } from "@std/http/negotiation";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { Endpoint } from "./endpoint.ts";
import { type LookAtReadiness, readinessFields, type ReadyResult } from "./readiness.ts";
import { PAGE_CSP } from "./start_page_style.ts";
import { renderPage } from "./start_page_html.ts";

/** What the page tells; nothing of it is secret. */
export interface StartPageOptions {
  readonly version: string;
  /** Path and what it is for, in the order of the page. */
  readonly endpoints: Readonly<Record<string, string>>;
  readonly look: LookAtReadiness;
  readonly clock: Clock;
}

const NAME = "matrixrtc-auth";
const SUMMARY = "MatrixRTC authorization service";
const GUIDE = "https://github.com/matrixrtc-auth/matrixrtc-auth#readme";
/** The page does not wait longer for what others answer. */
const PATIENCE_MS = 2_000;

const COMMON_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  vary: "accept",
};

/**
 * Makes `GET /`: tells people who come across the address what answers here, whether it works,
 * and where to go on.
 */
export function createStartPage(options: StartPageOptions): Endpoint {
  const { version, endpoints, look, clock } = options;

  async function lookBriefly(): Promise<readonly ReadyResult[] | undefined> {
    try {
      return await withDeadline(look(), PATIENCE_MS, clock, () => new RangeError("late"));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  return async (request) => {
    const wantsPage = accepts(request, "application/json", "text/html") === "text/html";
    const results = await lookBriefly();
    const about = { name: NAME, version, description: SUMMARY };
    if (wantsPage) {
      return {
        status: 200,
        contentType: "text/html; charset=utf-8",
        body: renderPage({ ...about, endpoints, guide: GUIDE, ...results && { results } }),
        headers: { ...COMMON_HEADERS, "content-security-policy": PAGE_CSP },
      };
    }
    const state = results === undefined ? { status: "unknown" } : readinessFields(results);
    return {
      status: 200,
      contentType: "application/json",
      body: JSON.stringify({ ...about, ...state, endpoints, guide: GUIDE }),
      headers: COMMON_HEADERS,
    };
  };
}
