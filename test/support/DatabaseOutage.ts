/** A way to Postgres that a test can cut, or leave open and silent, and restore. */
import { Effect } from "effect"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

export const databaseBehindProxy = Effect.fnUntraced(function*(databaseUrl: string) {
  const target = new URL(databaseUrl)
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: "open" | "cut" | "silent" = "open"

  const server = yield* Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((near) => {
        if (state === "cut") return void near.destroy()
        const far = connect(addressOf(target))
        const pair = [near, far] as const
        pairs.add(pair)
        for (const socket of pair) {
          socket.on("error", () => {})
          socket.on("close", () => {
            pairs.delete(pair)
            near.destroy()
            far.destroy()
          })
        }
        near.on("data", (chunk) => state === "open" && far.write(chunk))
        far.on("data", (chunk) => state === "open" && near.write(chunk))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const [near] of pairs) near.destroy()
      })
  )
  const url = new URL(`postgres://127.0.0.1${target.pathname}`)
  url.port = String((server.address() as AddressInfo).port)
  url.username = target.username
  url.password = target.password

  const endAll = () => {
    for (const [near] of pairs) near.destroy()
  }
  return {
    url: url.href,
    /** All connections end, new ones do too. */
    cut: () => {
      state = "cut"
      endAll()
    },
    /** All connections stay, and nothing comes through: what is lost now stays lost. */
    silence: () => {
      state = "silent"
    },
    restore: () => {
      // A connection that lost bytes is of no more use.
      if (state === "silent") endAll()
      state = "open"
    }
  }
})

/** Of the server, which may listen on a Unix socket only. */
const addressOf = (url: URL) => {
  const port = Number(url.port || 5432)
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname)
  return host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
}
