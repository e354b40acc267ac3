/** What a client of `/ws` may send; the wire format of README's "Listen". */
import { Result, Schema } from "effect"

const SubscriptionId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(100))

const messages = {
  subscribe: Schema.Struct({
    action: Schema.Literal("subscribe"),
    id: SubscriptionId,
    // Read by itself, so that what is wrong with it is told by the name of its field.
    filter: Schema.optionalKey(Schema.Unknown),
    after: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    epoch: Schema.optionalKey(Schema.String)
  }),
  unsubscribe: Schema.Struct({ action: Schema.Literal("unsubscribe"), id: SubscriptionId }),
  ping: Schema.Struct({ action: Schema.Literal("ping") })
}
const actions = Object.keys(messages)

const decode = Schema.decodeUnknownResult(Schema.Union(Object.values(messages)))

export type ClientMessage = typeof messages[keyof typeof messages]["Type"]

/** Why a message is not understood. */
export interface Misunderstood {
  readonly code: "bad_message" | "unknown_action"
  readonly message: string
}

export const readMessage = (text: string): Result.Result<ClientMessage, Misunderstood> => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return Result.fail({
      code: "bad_message",
      message: "Wants JSON, such as {\"action\":\"subscribe\",\"id\":\"all\"}."
    })
  }
  const action = (json as { readonly action?: unknown } | null)?.action
  if (typeof action === "string" && !actions.includes(action)) {
    const message = `There is no action ${JSON.stringify(action.slice(0, 50))}, wants one of ${actions.join(", ")}.`
    return Result.fail({ code: "unknown_action", message })
  }
  return Result.mapError(decode(json), (error) => ({
    code: "bad_message" as const,
    message: `The message does not fit: ${error.message.replaceAll(/\s+/g, " ").slice(0, 300)}.`
  }))
}
