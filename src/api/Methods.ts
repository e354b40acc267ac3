/** Which methods a path answers, for those who come with another one. */
import { Api } from "./Api.ts"

/** What is outside the contract is only to be read. */
const readOnly = /^\/(docs|openapi\.json|metrics|health\/live|health\/ready|ws|redisq\/listen\.php|r2z2\/.+\.json)$/

const routes = Object.values(Api.groups).flatMap(({ endpoints }) =>
  Object.values(endpoints).map(({ method, path }) => ({
    method: method as string,
    pattern: new RegExp(`^${path.replaceAll(/:\w+/g, "[^/]+")}/?$`)
  }))
)

/** Empty for a path that there is not. */
export const methodsOf = (path: string): ReadonlyArray<string> => {
  const methods = new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))
  if (readOnly.test(path) || path === "/graphql") methods.add("GET")
  if (path === "/graphql") methods.add("POST")
  if (methods.has("GET")) methods.add("HEAD")
  return [...methods]
}
