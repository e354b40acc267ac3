/** Connections whose request is no HTTP, or comes too slowly: they are told so, and end. */
import type { Server, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { refuse } from "./Problem.ts"

/** By Node's code of the error; everything else is 400. */
const statuses: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431
}

export const refuseMalformed = (server: Server): void => {
  const answers = new WeakMap<Duplex, ServerResponse>()
  server.on("request", ({ socket }, answer) => answers.set(socket, answer))
  server.on("checkExpectation", ({ socket }) => refuse(socket, 417))
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const answer = answers.get(socket)
    // In the midst of an answer there is no place for another one.
    const isAnswering = answer?.headersSent === true && !answer.writableFinished
    if (error.code === "ECONNRESET" || !socket.writable || isAnswering) socket.destroy()
    else refuse(socket, statuses[error.code ?? ""] ?? 400)
  })
}
