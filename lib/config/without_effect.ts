import type { VariableName } from "./variables/variables.ts";

/**
 * Variables that are checked but not used in this version, so that a complete
 * configuration of lk-jwt-service or of a later version is not refused.
 */
export const WITHOUT_EFFECT: readonly VariableName[] = [
  "MATRIXRTC_RATE_LIMIT_PER_CLIENT",
  "MATRIXRTC_RATE_LIMIT_PER_SERVER",
  "MATRIXRTC_TRUSTED_PROXIES",
];
