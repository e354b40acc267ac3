/** Where browsers find us, and whether a page of ours sent a request: cookies alone prove nothing, as any page makes them come. */
import { Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import { isLoopback, type Settings } from "../Settings.ts"

type Request = Pick<HttpServerRequest.HttpServerRequest, "headers" | "method">

/** As set; without that, as this machine calls us. None for others, to whom a wrong `Host` could be sent. */
export const ownOrigin = (
  { publicUrl }: Pick<Settings["Service"], "publicUrl">,
  { headers }: Request
): string | undefined => {
  if (Option.isSome(publicUrl)) return publicUrl.value.origin
  const called = URL.parse(`http://${headers["host"] ?? ""}`)
  return called !== null && isLoopback(called) ? called.origin : undefined
}

const harmless = new Set(["GET", "HEAD", "OPTIONS"])

/** Whether a request with a cookie may change anything: browsers say truly where it comes from. */
export const isFromOurPage = ({ headers, method }: Request, origin: string): boolean => {
  if (harmless.has(method)) return true
  const site = headers["sec-fetch-site"]
  return site === undefined ? headers["origin"] === origin : site === "same-origin"
}
