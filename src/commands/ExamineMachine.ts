/** What the daemon finds on its machine, and whom it can reach from there. Nobody is asked anything: connections are opened. */
import { Effect, Option, Result } from "effect"
import { constants } from "node:fs"
import { access, mkdir, statfs } from "node:fs/promises"
import { connect } from "node:net"
import { connect as connectSecurely } from "node:tls"
import { Settings, upstreamOf, userAgentFor } from "../Settings.ts"
import { fault, type Finding, well } from "./Finding.ts"

/** Bytes that a day of killmails, the static data's download and Postgres' own files want at least. */
const leastDisk = 2e9
const patienceMillis = 5000

export const examineMachine = Effect.gen(function*() {
  const settings = yield* Settings
  return [
    ...(yield* examineContact),
    ...(yield* Effect.promise(() => examineDisk(settings.dataDir))),
    ...(yield* Effect.promise(() => Promise.all(upstreamsOf(settings).map(examineUpstream)))),
    yield* Effect.promise(() => examineDaemon(settings.host, settings.port))
  ]
})

/** By name, whom the daemon asks as it is set. */
const upstreamsOf = (settings: Settings["Service"]): ReadonlyArray<readonly [string, URL]> => [
  ["ESI", settings.esiUrl],
  ...settings.feeds.map((feed) => [feed, upstreamOf(settings, feed)] as const),
  ["EVE Ref", settings.everefUrl],
  ["static data", settings.sdeUrl],
  ["zKillboard", settings.zkillboardUrl],
  ...(settings.ssoClientId === "" ? [] : [["EVE's SSO", settings.ssoUrl] as const]),
  ...(Option.isNone(settings.fcmAccount) ? [] : [["messages to devices", settings.fcmUrl] as const]),
  ...(settings.wandererSlug === "" ? [] : [["Wanderer", settings.wandererUrl] as const])
]

const examineContact = Effect.gen(function*() {
  const settings = yield* Settings
  for (const [, upstream] of upstreamsOf(settings)) {
    const agent = yield* Effect.result(userAgentFor(settings, upstream))
    if (Result.isFailure(agent)) {
      return [
        fault("contact", agent.failure.message.replace(/\.$/, ""), "set KILLMAILD_CONTACT to an address of yours")
      ]
    }
  }
  return [well("contact", "every upstream is told who asks")]
})

const examineDisk = async (dataDir: string): Promise<ReadonlyArray<Finding>> => {
  try {
    await mkdir(dataDir, { recursive: true })
    await access(dataDir, constants.W_OK)
    const { bavail, bsize } = await statfs(dataDir)
    const free = bavail * bsize
    const finding = `${(free / 1e9).toFixed(1)} GB are free in ${dataDir}`
    return [free >= leastDisk ? well("disk", finding) : fault("disk", finding, "make room: 2 GB at least are wanted")]
  } catch (error) {
    return [fault("disk", `KILLMAILD_DATA_DIR: ${messageOf(error)}`, "wants a directory that can be written")]
  }
}

const examineUpstream = async ([name, upstream]: readonly [string, URL]): Promise<Finding> => {
  const isSecure = /^(https|wss):$/.test(upstream.protocol)
  const port = Number(upstream.port) || (isSecure ? 443 : 80)
  const host = upstream.hostname.replace(/^\[(.*)\]$/, "$1")
  const begun = performance.now()
  try {
    await new Promise<void>((resolve, reject) => {
      const socket = isSecure ? connectSecurely({ host, port, servername: host }) : connect({ host, port })
      const end = (settle: () => void) => () => {
        socket.destroy()
        settle()
      }
      socket.setTimeout(patienceMillis, end(() => reject(new Error(`no answer within ${patienceMillis / 1000} s`))))
      socket.once(isSecure ? "secureConnect" : "connect", end(resolve))
      socket.once("error", (error) => end(() => reject(error))())
    })
    return well(name, `${upstream.host} can be reached in ${Math.round(performance.now() - begun)} ms`)
  } catch (error) {
    return fault(
      name,
      `${upstream.host} cannot be reached: ${messageOf(error)}`,
      "check the network, DNS and the setting"
    )
  }
}

/** The one at this address, if there is one. */
const examineDaemon = async (host: string, port: number): Promise<Finding> => {
  const place = `${host.includes(":") ? `[${host}]` : host}:${port}`
  const signal = AbortSignal.timeout(patienceMillis)
  try {
    const response = await fetch(`http://${place}/health/ready`, { signal })
    const { reasons = [], status } = await response.json() as {
      readonly status?: string
      readonly reasons?: Array<string>
    }
    if (status === "ready") return well("daemon", `the one at ${place} is ready`)
    return fault("daemon", `the one at ${place} is not ready: ${reasons.join(", ")}`, "its log says more")
  } catch (error) {
    const cause = (error as { readonly cause?: { readonly code?: string } }).cause?.code
    return cause === "ECONNREFUSED"
      ? well("daemon", `none is running at ${place}`)
      : fault(
        "daemon",
        `what is at ${place} is no killmaild that answers`,
        "free KILLMAILD_PORT, or restart the daemon"
      )
  }
}

const messageOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  return message === "" ? String(code) : message
}
