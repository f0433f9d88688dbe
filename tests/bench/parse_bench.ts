import { parseJson } from "../../lib/http/read_json.ts";
import { parseServerName } from "../../lib/matrix/server_name.ts";
import { parseGetTokenRequest } from "../../lib/matrix/wire.ts";
import { GET_TOKEN_BODY } from "./fixtures.ts";

Deno.bench("body of /get_token", { group: "parse" }, () => {
  parseGetTokenRequest(parseJson(GET_TOKEN_BODY));
});

Deno.bench("server names", { group: "parse" }, () => {
  parseServerName("matrix.example.org");
  parseServerName("[2001:db8::1]:8448");
});
