/** The end of a server, at which no answer is cut: a connection ends with the answer that is under way, an idle one at once. */
import { Effect } from "effect"
import type { Server, ServerResponse } from "node:http"

/** Milliseconds that answers under way get: the longest, a poll of RedisQ's kind, waits for 10 seconds. */
const patience = 12_000

/** Watches the server from now on. The effect takes no more connections, and waits for those that there are. */
export const drainOf = (server: Server): Effect.Effect<void> => {
  const underWay = new Set<ServerResponse>()
  let draining = false
  server.prependListener("request", (_, response) => {
    underWay.add(response)
    response.shouldKeepAlive &&= !draining
    response.once("close", () => {
      underWay.delete(response)
      // Its head may have promised to keep the connection, which is idle from the next turn on.
      if (draining) setImmediate(() => server.closeIdleConnections())
    })
  })
  return Effect.callback<void>((resume) => {
    draining = true
    for (const response of underWay) response.shouldKeepAlive = false
    const deadline = setTimeout(() => server.closeAllConnections(), patience)
    server.close(() => {
      clearTimeout(deadline)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })
}
