import { assert, describe, it } from "@effect/vitest"
import { IpNetwork } from "effect/net"
import type { IncomingMessage } from "node:http"
import { clientOf, isLocal } from "../../src/api/ClientAddress.ts"

const proxies = ["127.0.0.1/32", "10.0.0.0/8"].map((network) => IpNetwork.fromStringUnsafe(network))

/** Only of what is asked of it. */
const request = (remoteAddress: string | undefined, forwardedFor?: string) =>
  ({ socket: { remoteAddress }, headers: { "x-forwarded-for": forwardedFor } }) as unknown as IncomingMessage

describe("the address of a client", () => {
  it("is the socket's where no proxy is believed, whatever else is written", () => {
    assert.strictEqual(clientOf(request("203.0.113.9", "198.51.100.1"), []), "203.0.113.9")
    assert.strictEqual(clientOf(request("203.0.113.9", "198.51.100.1"), proxies), "203.0.113.9")
    assert.strictEqual(clientOf(request("::ffff:203.0.113.9"), []), "203.0.113.9")
    assert.strictEqual(clientOf(request(undefined), []), "unknown")
  })

  it("is the last one that a believed proxy names and that is no such proxy itself", () => {
    assert.strictEqual(clientOf(request("::ffff:127.0.0.1", "198.51.100.1"), proxies), "198.51.100.1")
    assert.strictEqual(clientOf(request("127.0.0.1", "1.2.3.4, 198.51.100.1, 10.1.2.3"), proxies), "198.51.100.1")
    assert.strictEqual(clientOf(request("10.9.9.9", "10.1.1.1"), proxies), "10.1.1.1")
    for (const nonsense of ["", "unknown", "x".repeat(9000), "198.51.100.1, unknown"]) {
      assert.strictEqual(clientOf(request("127.0.0.1", nonsense), proxies), "127.0.0.1", nonsense)
    }
  })

  it("is with IPv6 the network of the customer", () => {
    const other = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::7", "2001:DB8:1:2::9%eth0"]
    for (const address of other) assert.strictEqual(clientOf(request(address), []), "2001:db8:1:2::/64")
    assert.notStrictEqual(clientOf(request("2001:db8:1:3::1"), []), "2001:db8:1:2::/64")
  })

  it("is this machine's only where no proxy hands on what others ask", () => {
    for (const near of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
      assert.isTrue(isLocal(near, {}))
      for (const header of ["forwarded", "x-forwarded-for", "x-real-ip", "via"]) {
        assert.isFalse(isLocal(near, { [header]: "127.0.0.1" }))
      }
    }
    for (const far of ["10.0.0.1", "2001:db8::1", "1127.0.0.1", undefined]) assert.isFalse(isLocal(far, {}))
  })
})
