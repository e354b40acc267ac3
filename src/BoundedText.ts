/** An upstream's answer, which may be as large as whoever sends it likes: read up to a size, then refused. */
import { Effect, Schema, Stream } from "effect"
import type { HttpClientResponse } from "effect/http"

/** Bytes; the largest killmails are a few hundred kB, a page of 1,000 of them or a day of market history a few MB. */
const most = 16 * 1024 * 1024

export class AnswerTooLarge
  extends Schema.TaggedError<AnswerTooLarge>()("AnswerTooLarge", { message: Schema.String })
{}

export const boundedBytes = Effect.fnUntraced(function*(
  response: HttpClientResponse.HttpClientResponse,
  mostBytes: number = most
) {
  const chunks: Array<Uint8Array> = []
  let size = 0
  yield* Stream.runForEach(response.stream, (chunk) => {
    size += chunk.length
    if (size > mostBytes) {
      return Effect.fail(new AnswerTooLarge({ message: `the answer has more than ${mostBytes / 1024 / 1024} MiB` }))
    }
    chunks.push(chunk)
    return Effect.void
  })
  return Buffer.concat(chunks)
})

export const boundedText = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(boundedBytes(response), (bytes) => bytes.toString("utf8"))
