/** What a homeserver's client API says. */

import { bodyKind } from "../body_kind.ts";
import type { Finding } from "../check.ts";
import { errcodeOf } from "../describe_answer.ts";
import type { ClientApiPlace } from "../facts.ts";
import type { Exchange } from "../probe.ts";

/** E4: judges whether the client API was found, and whether it answers. */
export function judgeClientApi(
  serverName: string,
  place: ClientApiPlace,
  versions: Exchange | undefined,
): Finding {
  const override = `Set LIVEKIT_CS_API_URL_OVERRIDES for ${serverName} to an address of its ` +
    "client API that works from here.";
  if (place.baseUrl === undefined || versions === undefined) {
    const why = place.baseUrl === undefined ? place.why : "it was not asked";
    return { verdict: "FAIL", evidence: `not found: ${why}`, remedy: override };
  }
  const from = place.from === "override" ? "override" : "well-known file";
  if (!versions.answered) {
    return {
      verdict: "FAIL",
      evidence: `${place.baseUrl} (${from}): ${versions.message}`,
      remedy: override,
    };
  }
  const isVersions = versions.status === 200 && Array.isArray(fieldsOf(versions).versions);
  if (isVersions) return { verdict: "PASS", evidence: `${place.baseUrl} (${from})` };
  return {
    verdict: "FAIL",
    evidence: `${place.baseUrl} (${from}): /_matrix/client/versions is answered HTTP ` +
      `${versions.status} with ${bodyKind(versions.text)}`,
    remedy: versions.status >= 502 && versions.status <= 504
      ? "The proxy does not reach the homeserver: start it, or correct its port there."
      : `Something else than a homeserver answers there: correct m.homeserver.base_url. Or: ${override}`,
  };
}

/** E3: judges the features that calls need. */
export function judgeVersions(versions: Exchange): Finding {
  if (!versions.answered || versions.status !== 200) {
    return { verdict: "SKIP", evidence: "the client API does not answer (E4)" };
  }
  const features = fieldsOf(versions).unstable_features;
  const has = (name: string) =>
    typeof features === "object" && features !== null &&
    (features as Record<string, unknown>)[name] === true;
  const noted = ["msc4140", "msc4143", "msc4354"]
    .map((msc) => [msc, has(`org.matrix.${msc}`) || has(`org.matrix.${msc}.stable`)] as const)
    .map(([msc, isOn]) => `${msc} ${isOn ? "on" : "off"}`).join(", ");
  if (has("org.matrix.msc4140") || has("org.matrix.msc4140.stable")) {
    return { verdict: "PASS", evidence: `delayed events (MSC4140): ${noted}` };
  }
  return {
    verdict: "FAIL",
    evidence: `no delayed events (MSC4140): ${noted}`,
    remedy: "Synapse: set max_event_delay_duration (24h) and restart; without it calls get stuck " +
      "when a client dies.",
  };
}

/**
 * E5: judges the answer to a restart of a delayed event that does not exist.
 *
 * @param hasAppService Whether this service has a token for it, as in homeserver mode.
 */
export function judgeRestart(exchange: Exchange, hasAppService: boolean): Finding {
  const fail = (evidence: string, remedy: string): Finding => ({
    verdict: "FAIL",
    evidence,
    remedy,
  });
  if (!exchange.answered) {
    return fail(exchange.message, "The client API does not answer: see E4.");
  }
  const { status, text } = exchange;
  const errcode = errcodeOf(exchange);
  const evidence = `restart of an unknown event: HTTP ${status} ${
    errcode ?? `with ${bodyKind(text)}`
  }`;
  if (status === 404 && errcode === "M_NOT_FOUND") return { verdict: "PASS", evidence };
  if (status === 401 || status === 403) {
    if (hasAppService && errcode !== undefined) {
      return { verdict: "PASS", evidence: `${evidence}; in homeserver mode a token goes along` };
    }
    return fail(
      evidence,
      errcode === undefined
        ? "A proxy in front of the homeserver refuses: let /_matrix/client pass."
        : "This homeserver wants authentication for delayed events: use homeserver mode " +
          "(LIVEKIT_AS_REGISTRATION_FILE).",
    );
  }
  if (status === 429) {
    return {
      verdict: "WARN",
      evidence,
      remedy: "Raise rc_delayed_event_mgmt in Synapse: all leaves in this service's care share it.",
    };
  }
  if (errcode === "M_UNRECOGNIZED" || status === 404 || status === 405) {
    return fail(
      evidence,
      "Delayed events are not enabled, or the proxy or worker map does not route them: set " +
        "max_event_delay_duration, and forward " +
        "/_matrix/client/unstable/org.matrix.msc4140/delayed_events.",
    );
  }
  return fail(evidence, "See the homeserver's log, and the proxy's in front of it.");
}

function fieldsOf(exchange: Exchange): Record<string, unknown> {
  const json = exchange.answered ? exchange.json : undefined;
  return typeof json === "object" && json !== null ? json as Record<string, unknown> : {};
}
