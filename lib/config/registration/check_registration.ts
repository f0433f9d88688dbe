import type { ParseContext } from "../parse/invalid_value.ts";
import { MEMBERSHIP_SCOPE, PROXY_PREFIX, REGISTRATION_KEYS } from "./registration_keys.ts";

/**
 * Warns about what a registration lacks for homeserver mode. Synapse itself says nothing: it
 * does not pass requests on, refuses questions, or sends what nobody reads.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { checkRegistration } from "./check_registration.ts";
 *
 * const warnings: string[] = [];
 * const context = { warn: (message: string) => warnings.push(message), readFile: () => "" };
 * checkRegistration(new Map([["scopes", []]]), context);
 * assertEquals(warnings[0], "has a key scopes, which Synapse does not read: " +
 *   "the name is io.element.msc4502.scopes");
 * ```
 *
 * @param registration The whole file.
 */
export function checkRegistration(
  registration: ReadonlyMap<unknown, unknown>,
  context: Pick<ParseContext, "warn">,
): void {
  const { scopes, proxyPrefix, proxyUrl } = REGISTRATION_KEYS;
  const misnamed = new Set<string>();
  for (const [wrong, right] of MISNAMED) {
    if (!registration.has(wrong) || registration.has(right)) continue;
    misnamed.add(right);
    context.warn(`has a key ${wrong}, which Synapse does not read: the name is ${right}`);
  }
  if (!misnamed.has(scopes) && !asList(registration.get(scopes)).includes(MEMBERSHIP_SCOPE)) {
    context.warn(
      `does not list ${MEMBERSHIP_SCOPE} in ${scopes}: Synapse will not say who is in a room`,
    );
  }
  const prefix = String(registration.get(proxyPrefix) ?? "").replace(/\/+$/, "");
  if (!misnamed.has(proxyPrefix) && prefix !== PROXY_PREFIX) {
    context.warn(
      `does not have ${PROXY_PREFIX} as ${proxyPrefix}: Synapse will not pass requests on`,
    );
  }
  const url = registration.get(proxyUrl);
  if (!misnamed.has(proxyUrl) && (typeof url !== "string" || url === "")) {
    context.warn(`has no ${proxyUrl}: Synapse does not know where this service is`);
  }
  // A missing one keeps Synapse from starting, and it says so.
  const pushUrl = registration.get("url");
  if (pushUrl !== null && pushUrl !== undefined) {
    context.warn("has a url: Synapse will send events that this service refuses. Write url: null");
  }
  checkUsers(registration.get("namespaces"), context);
}

/** Names from early drafts and guides, each with what Synapse reads. */
const MISNAMED: readonly (readonly [wrong: string, right: string])[] = [
  ["io.element.msc4502.scope", REGISTRATION_KEYS.scopes],
  ["scopes", REGISTRATION_KEYS.scopes],
  ["scope", REGISTRATION_KEYS.scopes],
  ["proxy_prefix", REGISTRATION_KEYS.proxyPrefix],
  ["proxy_url", REGISTRATION_KEYS.proxyUrl],
];

/** Whether the patterns fit the homeserver's users is not tried: they are Python's, not ours. */
function checkUsers(namespaces: unknown, context: Pick<ParseContext, "warn">): void {
  const users = namespaces instanceof Map ? asList(namespaces.get("users")) : [];
  const patterns = users.filter((entry) => entry instanceof Map && entry.has("regex")) as Map<
    unknown,
    unknown
  >[];
  if (patterns.length === 0) {
    context.warn(
      "has no users in its namespaces: Synapse will not let this service act for its users, " +
        "so leaves cannot be delegated",
    );
  }
  if (patterns.some((entry) => entry.get("exclusive") === true)) {
    context.warn(
      "has exclusive users in its namespaces: Synapse will let nobody else register such names. " +
        "Write exclusive: false",
    );
  }
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
