/** A port of this machine that nobody listens on. */
import { Effect } from "effect"
import { type AddressInfo, createServer } from "node:net"

export const freePort = Effect.callback<number>((resume) => {
  const probe = createServer()
  probe.listen(0, "127.0.0.1", () => {
    const { port } = probe.address() as AddressInfo
    probe.close(() => resume(Effect.succeed(port)))
  })
})
