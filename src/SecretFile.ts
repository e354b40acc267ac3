/** A secret in a file of the data directory, for its owner's eyes alone. */
import { randomBytes } from "node:crypto"
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** What the file holds; where there is none, it is made with what `generate` says. Throws what the file system throws. */
export const readOrGenerate = (dataDir: string, name: string, generate: () => string): string => {
  const path = join(dataDir, name)
  mkdirSync(dataDir, { recursive: true })
  try {
    chmodSync(path, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    // Linked whole under its name: nobody reads half a secret, and of two daemons that start at once one is first.
    const whole = writeBeside(path, generate())
    try {
      linkSync(whole, path)
    } catch (taken) {
      if ((taken as NodeJS.ErrnoException).code !== "EEXIST") throw taken
    } finally {
      rmSync(whole)
    }
  }
  const secret = readFileSync(path, "utf8").trim()
  if (secret === "") throw new Error(`${path} is empty; remove it`)
  return secret
}

/** Puts another text into its place, at once. */
export const replaceSecret = (dataDir: string, name: string, text: string): void => {
  const path = join(dataDir, name)
  renameSync(writeBeside(path, text), path)
}

const writeBeside = (path: string, text: string): string => {
  const whole = `${path}.${randomBytes(6).toString("hex")}`
  writeFileSync(whole, `${text}\n`, { flag: "wx", mode: 0o600, flush: true })
  return whole
}
