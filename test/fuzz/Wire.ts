/** Bytes on a socket that are hardly HTTP: smuggled requests, broken framing, upgrades to nothing. */
import type { Random } from "../../src/sandbox/Random.ts"
import type { Source } from "./Attempt.ts"
import * as Nonsense from "./Nonsense.ts"

const path = "/api/v1/killmails"
const end = "\r\n\r\n"

const wires: ReadonlyArray<(random: Random) => Buffer | string> = [
  () => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked${end}0${end}G`,
  () => `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x${end}0${end}`,
  () => `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked${end}0${end}`,
  () => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6${end}hello!`,
  () => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: +5${end}hello`,
  () => `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked${end}fffffffffffffffff\r\n`,
  () =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked${end}5;a=${"x".repeat(20_000)}\r\nhello\r\n0${end}`,
  () => `GET ${path} HTTP/1.1\r\nHost: x\r\nHost: y${end}`,
  () => `GET ${path} HTTP/1.1\nHost: x\nConnection: close\n\n`,
  () => `GET ${path}\thello HTTP/1.1\r\nHost: x${end}`,
  () => `GET  ${path} HTTP/1.1\r\nHost: x${end}`,
  () => `GET ${path} HTTP/9.9\r\nHost: x${end}`,
  () => `GET ${path}${end}`,
  () => `GET http://evil.example${path} HTTP/1.1\r\nHost: x\r\nConnection: close${end}`,
  () => `GET ${path} HTTP/1.1\r\nHost: x\r\n X: folded\r\nConnection: close${end}`,
  () => `GET ${path} HTTP/1.1\r\nHost: x\r\nX: a\u0000b${end}`,
  () => `GET ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close${end}`,
  () => `GET ${path} HTTP/1.1\r\nHost: x\r\nExpect: ${"y".repeat(9)}\r\nConnection: close${end}`,
  () =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\nHTTP2-Settings: AAMAAABkAAQAAP__${end}`,
  () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  () => `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99${end}`,
  () => `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x${end}`,
  () => `OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close${end}`,
  () =>
    Buffer.concat([Buffer.from("GET /"), Buffer.from([0xff, 0xfe, 0x80]), Buffer.from(` HTTP/1.1\r\nHost: x${end}`)]),
  () => `GET ${path}?x=${"y".repeat(70_000)} HTTP/1.1\r\nHost: x${end}`,
  () => `GET ${path} HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(3000)}\r\n`,
  (random) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\n${Nonsense.text(random)}: ${Nonsense.text(random)}\r\nConnection: close${end}`,
  (random) => Nonsense.mangled(random, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close${end}`),
  (random) => Buffer.from(Array.from({ length: 200 }, () => random.whole(0, 255)))
]

export const source: Source = {
  name: "wire",
  weight: 5,
  next: (random) => ({ method: "", target: "", headers: {}, wire: random.pick(wires)(random) })
}
