/**
 * Makes the function that makes request IDs. Those of one process share their
 * first letters, so two replicas' logs can be read together.
 *
 * @param random Gives a number in [0, 1).
 * @returns Short texts of letters and digits, no two alike.
 */
export function createRequestIds(random: () => number): () => string {
  const prefix = Math.floor(random() * 36 ** 5).toString(36).padStart(5, "0");
  let count = 0;
  return () => `${prefix}${(count++).toString(36)}`;
}
