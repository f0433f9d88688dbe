/** What every hop strips, and what `fetch` sets by itself. */
const HOP_HEADERS = ["connection", "keep-alive", "transfer-encoding", "host", "content-length"];

/**
 * Passes a request on as it is, and the answer back.
 *
 * @param request What came.
 * @param body Its body, read before so that it can be sent more than once.
 * @param baseUrl Where it goes; the path and the query stay.
 * @param options A client that trusts the target, and what ends the attempt.
 * @throws {TypeError} When the target cannot be reached or does not answer.
 */
export async function forward(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  baseUrl: string,
  options: { client?: Deno.HttpClient; signal?: AbortSignal } = {},
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  for (const name of HOP_HEADERS) headers.delete(name);
  const response = await fetch(`${baseUrl}${pathname}${search}`, {
    method: request.method,
    headers,
    redirect: "manual",
    ...(request.method === "GET" || request.method === "HEAD" ? {} : { body }),
    ...options,
  });
  const answer = new Headers(response.headers);
  // The body has been unpacked on the way.
  for (const name of [...HOP_HEADERS, "content-encoding"]) answer.delete(name);
  const nothing = [101, 204, 205, 304].includes(response.status);
  return new Response(nothing ? null : await response.arrayBuffer(), {
    status: response.status,
    headers: answer,
  });
}
