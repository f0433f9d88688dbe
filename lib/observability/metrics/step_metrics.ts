/** What the service's steps say of its requests and of its calls to others. */

import type { Clock } from "../../clock.ts";
import type { Step, StepFacts, Watcher } from "../steps.ts";
import { Counter, Gauge, Histogram, type Metric } from "./metric.ts";

/** What counting steps needs. */
export interface StepMetricsOptions {
  readonly clock: Clock;
  /** Whether the operator has named a server, so that its failures are the operator's business. */
  readonly isOwn: (serverName: string) => boolean;
}

const ENDPOINTS = [
  "/get_token",
  "/sfu/get",
  "/delegate_delayed_leave",
  "/sfu_webhook",
  "/_matrix/client/rtc/livekit/get_token",
  "/_matrix/client/rtc/livekit/delegate_delayed_leave",
  "/_matrix/federation/rtc/livekit/get_token",
  "/_matrix/app/ping",
  "/healthz",
  "/readyz",
  "/",
];
/** Where a user's homeserver is asked whether an OpenID token is good. */
const VERIFYING = ["/get_token", "/sfu/get", "/delegate_delayed_leave"];
const WEBHOOK = "/sfu_webhook";
const RESULTS = [
  "ok",
  "bad_request",
  "unauthorized",
  "forbidden",
  "not_found",
  "limited",
  "upstream",
  "unavailable",
  "error",
];
const ACCESSES = ["full", "restricted", "local", "remote", "federated", "none"];
const CALLS = [
  "userinfo",
  "well_known",
  "CreateRoom",
  "GetParticipant",
  "ListParticipants",
  "ListRooms",
  "RemoveParticipant",
  "restart",
  "send",
  "is_joined",
  "fed_proxy",
];
const HOPS = ["policy", "dns", "tcp", "tls", "http", "answer", "load"];
/** Up to what clients wait for, in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];
/** LiveKit tells when an event happened in whole seconds. */
const LAG_SECONDS = [1, 2, 5, 10, 30, 60, 300];

/**
 * Answers below 500 that are a server's right answer to a right question: about a
 * token that is not good, or somebody who has gone. Any other is a failure.
 */
const FINE = new Map<string, readonly number[]>([
  ["userinfo", [400, 401, 403]],
  ["well_known", [400, 401, 403, 404, 405, 410]],
  ["GetParticipant", [404]],
  ["ListParticipants", [404]],
  ["RemoveParticipant", [404]],
  ["restart", [404, 409]],
  ["send", [404, 409]],
  ["is_joined", [400]],
  // Another server's answers come through it as they are.
  ["fed_proxy", [400, 401, 403, 404]],
]);

/** Watches all steps, and has the metrics of them. */
export class StepMetrics implements Watcher {
  readonly metrics: readonly Metric[];

  readonly #clock: Clock;
  readonly #isOwn: (serverName: string) => boolean;
  #inWork = 0;
  #webhookAt: number | undefined;

  readonly #requests = new Counter({
    name: "matrixrtc_auth_requests_total",
    help: "Requests that were answered.",
    labels: { endpoint: ENDPOINTS, result: RESULTS, access: ACCESSES },
  });
  readonly #requestSeconds = new Histogram({
    name: "matrixrtc_auth_request_duration_seconds",
    help: "From a request's head to its answer.",
    labels: { endpoint: ENDPOINTS },
    bounds: SECONDS,
  });
  readonly #verificationFailures = new Counter({
    name: "matrixrtc_auth_verification_failures_total",
    help: "Users whose homeserver did not vouch for them, by where on the way to it that ended.",
    labels: { hop: HOPS, server: ["own", "remote"] },
  });
  readonly #limited = new Counter({
    name: "matrixrtc_auth_rate_limited_total",
    help: "Requests refused with 429, by whose limit it was.",
    labels: { by: ["client", "server", "user"] },
  });
  readonly #callSeconds = new Histogram({
    name: "matrixrtc_auth_upstream_duration_seconds",
    help: "Calls to homeservers and the SFU, connecting included.",
    labels: { call: CALLS },
    bounds: SECONDS,
  });
  readonly #callFailures = new Counter({
    name: "matrixrtc_auth_upstream_failures_total",
    help: "Calls that failed, by where on the way; answer: one that is wrong or at least 500.",
    labels: { call: CALLS, hop: HOPS },
  });
  readonly #callsLimited = new Counter({
    name: "matrixrtc_auth_upstream_limited_total",
    help: "Calls that were answered with 429.",
    labels: { call: CALLS },
  });
  readonly #webhooks = new Counter({
    name: "matrixrtc_auth_webhooks_total",
    help:
      "Webhooks: received, rejected for their signature, or failed, so that LiveKit repeats them.",
    labels: { result: ["received", "rejected", "failed"] },
  });
  readonly #webhookLag = new Histogram({
    name: "matrixrtc_auth_webhook_lag_seconds",
    help: "From an event to its webhook, by LiveKit's clock and ours.",
    bounds: LAG_SECONDS,
  });
  readonly #removals = new Counter({
    name: "matrixrtc_auth_membership_removals_total",
    help: "Participants removed since their user is not in the Matrix room any more.",
  });

  constructor({ clock, isOwn }: StepMetricsOptions) {
    this.#clock = clock;
    this.#isOwn = isOwn;
    this.metrics = [
      this.#requests,
      this.#requestSeconds,
      new Gauge({
        name: "matrixrtc_auth_requests_in_work",
        help: "Requests that are not answered yet.",
        read: () => this.#inWork,
      }),
      this.#verificationFailures,
      this.#limited,
      this.#callSeconds,
      this.#callFailures,
      this.#callsLimited,
      this.#webhooks,
      new Gauge({
        name: "matrixrtc_auth_webhook_last_received_timestamp_seconds",
        help: "When the last signed webhook came; absent before the first one.",
        read: () => this.#webhookAt,
      }),
      this.#webhookLag,
      this.#removals,
    ];
  }

  async watch<T>(step: Step, facts: StepFacts, action: () => Promise<T>): Promise<T> {
    const startedAt = this.#clock.monotonic();
    const isRequest = step.kind === "server";
    if (isRequest) this.#inWork++;
    let error: unknown;
    try {
      return await action();
    } catch (cause) {
      error = cause;
      throw cause;
    } finally {
      const seconds = (this.#clock.monotonic() - startedAt) / 1000;
      if (isRequest) {
        this.#inWork--;
        this.#onRequest(step.name, facts, seconds);
      } else this.#onCall(step.name, facts, seconds, error);
    }
  }

  #onRequest(name: string, facts: StepFacts, seconds: number): void {
    const { method, status = 500, access = "none", hop, limited } = facts;
    // Preflights would count each request twice, and as done.
    if (method === "OPTIONS") return;
    this.#requests.add(name, resultOf(Number(status), hop !== undefined), String(access));
    this.#requestSeconds.observe(seconds, name);
    if (status === 429) this.#limited.add(String(limited ?? "user"));
    if (status === 401 && VERIFYING.includes(name)) {
      const isOwn = this.#isOwn(String(facts.server));
      this.#verificationFailures.add(String(hop), isOwn ? "own" : "remote");
    }
    if (name === WEBHOOK && method === "POST") this.#onWebhook(Number(status), facts.lagSeconds);
  }

  #onWebhook(status: number, lagSeconds: string | number | undefined): void {
    const result = status === 200 ? "received" : status === 401 ? "rejected" : "failed";
    this.#webhooks.add(result);
    if (result !== "received") return;
    this.#webhookAt = this.#clock.now() / 1000;
    if (lagSeconds !== undefined) this.#webhookLag.observe(Number(lagSeconds));
  }

  #onCall(name: string, { status }: StepFacts, seconds: number, error: unknown): void {
    this.#callSeconds.observe(seconds, name);
    if (error !== undefined) this.#callFailures.add(name, hopOf(error));
    else if (status === 429) this.#callsLimited.add(name);
    else if (Number(status) >= 400 && FINE.get(name)?.includes(Number(status)) !== true) {
      this.#callFailures.add(name, "answer");
    }
    if (name === "RemoveParticipant" && status === 200) this.#removals.add();
  }
}

const RESULT_OF_STATUS: Readonly<Record<number, string>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  429: "limited",
  503: "unavailable",
};

function resultOf(status: number, hasHop: boolean): string {
  if (status < 400) return "ok";
  return RESULT_OF_STATUS[status] ??
    (status < 500 ? "bad_request" : hasHop || status === 502 ? "upstream" : "error");
}

function hopOf(error: unknown): string {
  return typeof error === "object" && error !== null && "hop" in error ? String(error.hop) : "";
}
