/**
 * Where a webhook may lead: users give its address, and this daemon stands where they do not, so no address of this machine
 * or its network may be asked in their name (OWASP: Server-Side Request Forgery).
 */
import { Result } from "effect"
import ipaddr from "ipaddr.js"
import { isIP } from "node:net"

/** Empty is 443, the port of https. */
const ports = new Set(["", "8443"])

/** `host:port`, as `KILLMAILD_WEBHOOK_ALLOW` lists what may be asked whatever it is. */
export const placeOf = ({ hostname, port, protocol }: URL): string =>
  `${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`

/** The address as URLs write it has one form: `https://2130706433/` and `https://0x7f.1/` are 127.0.0.1 there. */
const literalIn = ({ hostname }: URL): string | undefined => {
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return isIP(host) === 0 ? undefined : host
}

/** All of IPv6 that IANA gives out to reach anybody; what is outside may lead to an IPv4 address, such as ::127.0.0.1. */
const globalUnicast = ipaddr.parseCIDR("2000::/3")

/**
 * Whether anybody could be reached there: no loopback, private or shared network, link, multicast, and no IPv6 address that
 * leads to an IPv4 one by a gateway. One that only writes an IPv4 address otherwise counts as that.
 */
export const isPublicAddress = (text: string): boolean => {
  if (isIP(text) === 0) return false
  const address = ipaddr.process(text)
  return address.range() === "unicast" && (address.kind() === "ipv4" || address.match(globalUnicast))
}

const wants = (what: string) => Result.fail(`url: ${what}.`)

/** Fails with one sentence, which does not quote the address: whoever knows it may write there. */
export const readWebhookUrl = (text: string, allowed: ReadonlyArray<string>): Result.Result<URL, string> => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return wants("is no address of the web, wants one such as https://discord.com/api/webhooks/…")
  }
  if (url.username !== "" || url.password !== "") return wants("has a user or password in it, wants it without")
  if (allowed.includes(placeOf(url))) return Result.succeed(url)
  if (url.protocol !== "https:") return wants("got http://, wants https://")
  if (!ports.has(url.port)) return wants(`got port ${url.port}, wants 443 or 8443`)
  if (/^(.+\.)?localhost\.?$/.test(url.hostname)) return wants("got localhost, wants an address that is public")
  const literal = literalIn(url)
  if (literal !== undefined && !isPublicAddress(literal)) {
    return wants(`got the address ${literal}, wants one that is public`)
  }
  return Result.succeed(url)
}
