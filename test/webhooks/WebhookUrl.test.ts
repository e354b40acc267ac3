import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { isPublicAddress, placeOf, readWebhookUrl } from "../../src/webhooks/WebhookUrl.ts"

/** Each is this machine, its network, or something that leads there, written as whoever wants to get in writes it. */
const attacks: Readonly<Record<string, ReadonlyArray<string>>> = {
  "a loopback": [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://any.localhost/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://%31%32%37.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/"
  ],
  "IPv4 in IPv6": [
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[::ffff:0:127.0.0.1]/"
  ],
  "a metadata service": [
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://[fd00:ec2::254]/"
  ],
  "a private or shared network": [
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://192.168.257/",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.0.1/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fec0::1]/"
  ],
  "a link, many or nobody": [
    "https://169.254.0.1/",
    "https://[fe80::1]/",
    "https://224.0.0.1/",
    "https://[ff02::1]/",
    "https://255.255.255.255/",
    "https://240.0.0.1/",
    "https://0.0.0.0/",
    "https://0/",
    "https://[::]/",
    "https://192.0.2.1/",
    "https://203.0.113.1/",
    "https://[2001:db8::1]/",
    "https://[100::1]/"
  ],
  "no address of https": [
    "http://discord.com/api/webhooks/1/x",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "//example.org/",
    "example.org",
    "https://",
    ""
  ],
  "somebody's password": ["https://user@example.org/", "https://user:word@example.org/", "https://:word@example.org/"],
  "a port of something else": ["https://example.org:22/", "https://example.org:25/", "https://example.org:6379/"]
}

describe("a webhook's address", () => {
  for (const [what, urls] of Object.entries(attacks)) {
    it(`is refused when it is ${what}`, () => {
      for (const url of urls) {
        const read = readWebhookUrl(url, [])
        assert.isTrue(Result.isFailure(read), url)
        if (Result.isFailure(read)) assert.match(read.failure, /^url: [^/]+(https?:\/\/.*)?\.$/)
      }
    })
  }

  it("is taken when anybody could be reached there", () => {
    for (
      const url of [
        "https://discord.com/api/webhooks/1/x?thread_id=7",
        "https://hooks.slack.com/services/T/B/x",
        "https://example.org:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/"
      ]
    ) assert.isTrue(Result.isSuccess(readWebhookUrl(url, [])), url)
  })

  it("is taken when the operator lets its host and port through, and no other port of it", () => {
    const allowed = ["chat.internal:8065", "[fd00::5]:80", "127.0.0.1:443"]
    for (const url of ["http://chat.internal:8065/hook", "http://[fd00::5]/", "https://127.0.0.1/"]) {
      assert.isTrue(Result.isSuccess(readWebhookUrl(url, allowed)), url)
    }
    for (
      const url of ["http://chat.internal/", "http://chat.internal:8066/", "http://127.0.0.1/", "https://[fd00::5]/"]
    ) {
      assert.isTrue(Result.isFailure(readWebhookUrl(url, allowed)), url)
    }
  })

  it("is a host and a port, whether or not the port is written", () => {
    assert.strictEqual(placeOf(new URL("https://EXAMPLE.org/")), "example.org:443")
    assert.strictEqual(placeOf(new URL("http://example.org/")), "example.org:80")
  })

  it("is not public when it is no address at all", () => {
    for (const address of ["", "localhost", "fe80::1%eth0", "1.2.3"]) assert.isFalse(isPublicAddress(address), address)
  })
})
