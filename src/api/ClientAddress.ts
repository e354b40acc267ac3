/** Who asks: the address of a client, also behind proxies. */
import { Option, Result } from "effect"
import { IpNetwork, NetAddress } from "effect/net"
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"

type Headers = Readonly<IncomingHttpHeaders>

/** What a reverse proxy adds: then a near address says nothing of who asks. */
const forwarding = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]

export const isForwarded = (headers: Headers): boolean => forwarding.some((name) => headers[name] !== undefined)

/** Without a zone, and IPv4 as such. */
const addressIn = (text: string): Option.Option<NetAddress.IpAddress> =>
  Option.map(
    Result.getSuccess(NetAddress.ipFromString(text.trim().replace(/%.*$/, ""))),
    (address) => NetAddress.toCanonical(address)
  )

/** Whether somebody on this machine asks, and not a proxy on it for somebody else. */
export const isLocal = (address: string | undefined, headers: Headers): boolean =>
  Option.exists(addressIn(address ?? ""), NetAddress.isLoopback) && !isForwarded(headers)

/**
 * The socket's address or, while that is one of these proxies, what it says of whom it asks for: the last of X-Forwarded-For
 * that is none of them. What stands further to the front anybody could have written.
 */
const addressOf = ({ headers, socket }: IncomingMessage, proxies: ReadonlyArray<IpNetwork.IpNetwork>) => {
  const named = String(headers["x-forwarded-for"] ?? "").split(",")
  let address = addressIn(socket.remoteAddress ?? "")
  while (Option.isSome(address) && isAmong(address.value, proxies)) {
    const before = addressIn(named.pop() ?? "")
    if (Option.isNone(before)) break
    address = before
  }
  return address
}

const isAmong = (address: NetAddress.IpAddress, networks: ReadonlyArray<IpNetwork.IpNetwork>): boolean =>
  networks.some((network) => IpNetwork.contains(network, address))

/** Under which a client is counted: IPv4's address, or the network that IPv6 gives to each customer. */
export const clientOf = (request: IncomingMessage, proxies: ReadonlyArray<IpNetwork.IpNetwork>): string =>
  Option.match(addressOf(request, proxies), {
    onNone: () => "unknown",
    onSome: (address) =>
      NetAddress.isIpv4Address(address)
        ? NetAddress.formatIp(address)
        : IpNetwork.format(IpNetwork.fromAddressUnsafe(address, 64))
  })
