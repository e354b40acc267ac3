/** A browser without windows: it keeps cookies, follows nobody by itself, and says where a request comes from. */
import { Effect } from "effect"

export interface Page {
  readonly status: number
  readonly headers: Headers
  /** What the body is, when it is JSON. */
  readonly json: Record<string, unknown>
  readonly text: string
  /** Where it leads. */
  readonly location: URL | undefined
}

export interface Browser {
  readonly cookies: Map<string, string>
  /** Also the attributes of each cookie, as they were set last. */
  readonly attributes: Map<string, string>
  readonly go: (url: string | URL, init?: RequestInit) => Effect.Effect<Page>
  /** From a page of this origin, or of another. */
  readonly send: (method: string, url: string, body?: unknown, from?: string) => Effect.Effect<Page>
}

export const makeBrowser = (): Browser => {
  const cookies = new Map<string, string>()
  const attributes = new Map<string, string>()

  const go: Browser["go"] = (url, init = {}) =>
    Effect.promise(async () => {
      const headers = new Headers(init.headers)
      headers.set("user-agent", "a browser")
      if (cookies.size > 0) headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "))
      const response = await fetch(url, { ...init, headers, redirect: "manual" })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value, rest] = /^([^=]+)=([^;]*)(.*)$/.exec(line)!
        attributes.set(name!, rest!)
        if (/Max-Age=0\b/i.test(rest!)) cookies.delete(name!)
        else cookies.set(name!, value!)
      }
      const text = await response.text()
      const location = response.headers.get("location")
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: /json/.test(response.headers.get("content-type") ?? "") && text !== "" ? JSON.parse(text) : {},
        location: location === null ? undefined : new URL(location, url)
      }
    })

  const send: Browser["send"] = (method, url, body, from = new URL(url).origin) =>
    go(url, {
      method,
      headers: {
        origin: from,
        "sec-fetch-site": from === new URL(url).origin ? "same-origin" : "cross-site",
        ...(body === undefined ? {} : { "content-type": "application/json" })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })

  return { cookies, attributes, go, send }
}

/** The pilot signs in: from our page to EVE's SSO, a character chosen there, and back. */
export const signInWith = Effect.fnUntraced(
  function*(browser: Browser, daemon: string, characterId: number, query = "") {
    const sso = yield* chooseOn(yield* browser.go(`${daemon}/api/v1/auth/sign-in${query}`), characterId)
    return yield* browser.go(sso)
  }
)

/** On the SSO's page; returns the address to which the SSO sends the browser. */
export const chooseOn = Effect.fnUntraced(function*({ location }: Page, characterId: number | "none") {
  const chosen = new URL(location!)
  chosen.searchParams.set("character", String(characterId))
  return (yield* makeBrowser().go(chosen)).location!
})
