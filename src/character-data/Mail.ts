/** The headers of a character's newest mails, of which ESI tells 50; bodies are not asked for. */
import { Effect, Schema } from "effect"
import { groupOf, isoOf, type Kind } from "./Kind.ts"

const Headers = Schema.Array(Schema.Struct({
  mail_id: Schema.optionalKey(Schema.Int),
  from: Schema.optionalKey(Schema.Int),
  subject: Schema.optionalKey(Schema.String),
  timestamp: Schema.optionalKey(Schema.String),
  is_read: Schema.optionalKey(Schema.Boolean),
  labels: Schema.optionalKey(Schema.Array(Schema.Int)),
  recipients: Schema.optionalKey(Schema.Array(
    Schema.Struct({ recipient_id: Schema.Int, recipient_type: Schema.String })
  ))
}))

const Document = Schema.Struct({ headers: Headers })
type Document = typeof Document.Type

const route = { route: "/characters/{character_id}/mail", group: groupOf("char-social"), schema: Headers }

export const mail: Kind<Document> = {
  name: "mail",
  scopes: ["esi-mail.read_mail.v1"],
  document: Document,
  read: Effect.fnUntraced(function*(ask, before) {
    const { body } = yield* ask(route, before?.headers)
    return { headers: body }
  }),
  changes: (before, after, { characterId, until }) => {
    const newest = Math.max(0, ...before.headers.map(({ mail_id = 0 }) => mail_id))
    return after.headers
      .filter(({ from, mail_id = 0 }) => mail_id > newest && from !== characterId)
      .map(({ from = null, mail_id = 0, subject = "", timestamp: at = isoOf(until) }) => ({
        change: "mail_received",
        subject: String(mail_id),
        at,
        data: { mail_id, from, subject, at }
      }))
  },
  ends: () => []
}
