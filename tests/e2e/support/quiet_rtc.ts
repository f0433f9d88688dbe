// Imported before @livekit/rtc-node, whose logger writes a line for each event unless told so.
Deno.env.set("NODE_ENV", "production");
