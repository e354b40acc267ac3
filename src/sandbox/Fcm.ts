/**
 * Google, as far as messages to devices want it: OAuth for a service account, and Firebase Cloud Messaging, HTTP v1. A device's
 * token is whatever begins with `device`; https://firebase.google.com/docs/cloud-messaging/error-codes says the rest.
 */
import { createVerify, generateKeyPairSync, randomBytes } from "node:crypto"
import type { Judge } from "./Judge.ts"
import { type Answer, type Ask, json, type Upstream } from "./Upstream.ts"

const project = "new-eden"
const email = `killmaild@${project}.iam.gserviceaccount.com`
const scope = "https://www.googleapis.com/auth/firebase.messaging"
/** Milliseconds. */
const accessLife = 3_600_000
/** Bytes of a message, without its token. */
const mostBytes = 4096
const mostKept = 10_000

export interface Pushed {
  readonly token: string
  readonly notification: { readonly title: string; readonly body: string }
  readonly data: Readonly<Record<string, string>>
}

export interface Fcm extends Upstream {
  /** What Google's console hands out, for `KILLMAILD_FCM_ACCOUNT`; `url` is the sandbox's. */
  readonly accountFor: (url: string) => string
  readonly messages: () => ReadonlyArray<Pushed>
  /** The app was removed from the device. */
  readonly unregister: (token: string) => void
  /** Google takes back the access tokens that it gave. */
  readonly expireTokens: () => void
}

/** Of all sandboxes of a process, as it takes a while. */
let keys: ReturnType<typeof makeKeys> | undefined
const makeKeys = () =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  })

export const fcm = (judge: Judge, speed: number): Fcm => {
  const accessTokens = new Map<string, number>()
  /** Of apps that were removed, with whether the client knows it. */
  const gone = new Map<string, { isTold: boolean }>()
  const kept: Array<Pushed> = []

  const answer = (ask: Ask): Answer => {
    if (ask.path === "/token") return grant(ask)
    if (ask.path === `/v1/projects/${project}/messages:send`) return send(ask)
    return problem(404, "NOT_FOUND", "There is no such project.")
  }

  const grant = (ask: Ask): Answer => {
    const form = new URLSearchParams(ask.body)
    if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      return json(400, { error: "unsupported_grant_type" })
    }
    const wrong = faultOf(form.get("assertion") ?? "", ask)
    if (wrong !== undefined) {
      judge.accuse(ask, "protocol", wrong)
      return json(400, { error: "invalid_grant", error_description: wrong })
    }
    const token = `ya29.${randomBytes(32).toString("base64url")}`
    accessTokens.set(token, ask.at + accessLife / speed)
    return json(200, { access_token: token, expires_in: accessLife / 1000 / speed - 1, token_type: "Bearer" })
  }

  const send = (ask: Ask): Answer => {
    const token = /^Bearer (.+)$/.exec(ask.headers.authorization ?? "")?.[1] ?? ""
    if ((accessTokens.get(token) ?? 0) <= ask.at) {
      return problem(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    }
    const message = messageIn(ask.body)
    const wrong = message === undefined ? "There is no message." : complaintOf(message)
    if (wrong !== undefined) {
      judge.accuse(ask, "protocol", wrong)
      return problem(400, "INVALID_ARGUMENT", wrong, "INVALID_ARGUMENT")
    }
    const { token: device } = message!
    if (!device.startsWith("device")) {
      const detail = "The registration token is not a valid FCM registration token"
      return problem(400, "INVALID_ARGUMENT", detail, "INVALID_ARGUMENT")
    }
    const removed = gone.get(device)
    if (removed !== undefined) {
      if (removed.isTold) judge.accuse(ask, "protocol", "a message went to a device that is known to be gone")
      removed.isTold = true
      return problem(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED")
    }
    if (kept.length < mostKept) kept.push(message!)
    return json(200, { name: `projects/${project}/messages/0:${kept.length}` })
  }

  return {
    name: "fcm",
    environment: ["KILLMAILD_FCM_URL", "/fcm"],
    scopeOf: () => "fcm",
    answer,
    takesPost: () => true,
    accountFor: (url) => {
      keys ??= makeKeys()
      return JSON.stringify({
        type: "service_account",
        project_id: project,
        private_key_id: "sandbox",
        private_key: keys.privateKey,
        client_email: email,
        token_uri: `${url}/fcm/token`
      })
    },
    messages: () => kept.slice(),
    unregister: (token) => void gone.set(token, { isTold: false }),
    expireTokens: () => accessTokens.clear()
  }
}

/** What is wrong with the claim of a service account. */
const faultOf = (assertion: string, { at, headers }: Ask): string | undefined => {
  const [head = "", body = "", signature = ""] = assertion.split(".")
  const claim = partOf(body)
  if (keys === undefined || partOf(head)["alg"] !== "RS256") return "the assertion is not signed with RS256"
  const isSigned = createVerify("RSA-SHA256").update(`${head}.${body}`)
    .verify(keys.publicKey, Buffer.from(signature, "base64url"))
  if (!isSigned) return "the assertion's signature is invalid"
  if (claim["iss"] !== email || claim["scope"] !== scope) {
    return "the assertion is of another account, or for another scope"
  }
  if (claim["aud"] !== `http://${headers.host}/fcm/token`) return "the assertion is for another audience"
  const [iat, exp] = [Number(claim["iat"]) * 1000, Number(claim["exp"]) * 1000]
  return iat <= at + 60_000 && exp > at && exp - iat <= accessLife ? undefined : "the assertion's times are invalid"
}

const partOf = (text: string): Readonly<Record<string, unknown>> => {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>
  } catch {
    return {}
  }
}

const messageIn = (body: string): Pushed | undefined => {
  try {
    return (JSON.parse(body) as { readonly message?: Pushed }).message
  } catch {
    return undefined
  }
}

const complaintOf = ({ data, notification, token }: Pushed): string | undefined => {
  if (typeof token !== "string") return "message.token: there is none"
  if (Object.values(data ?? {}).some((value) => typeof value !== "string")) return "message.data: wants texts"
  const reserved = Object.keys(data ?? {}).find((key) => /^(from|message_type|google\.|gcm\.)/.test(key))
  if (reserved !== undefined) return `message.data: ${reserved} is reserved`
  return JSON.stringify({ data, notification }).length > mostBytes ? "message: it is too large" : undefined
}

const problem = (code: number, status: string, message: string, errorCode?: string): Answer =>
  json(code, {
    error: {
      code,
      message,
      status,
      details: errorCode === undefined
        ? []
        : [{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode }]
    }
  })
