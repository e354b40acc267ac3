/** The container's files, held to the program: no engine runs here, so they are read, and their command is run by hand. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { chown, cp, mkdir, mkdtemp, rm } from "node:fs/promises"
import { type AddressInfo, connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { parse } from "yaml"
import { describeSettings } from "../src/Settings.ts"
import { TestDatabase } from "./support/TestDatabase.ts"

const root = join(import.meta.dirname, "..")
const read = (name: string) => readFileSync(join(root, name), "utf8")

const Service = Schema.Struct({
  image: Schema.optionalKey(Schema.String),
  build: Schema.optionalKey(Schema.String),
  environment: Schema.optionalKey(Schema.Record(Schema.String, Schema.NullOr(Schema.String))),
  depends_on: Schema.optionalKey(Schema.Record(Schema.String, Schema.Struct({ condition: Schema.String }))),
  healthcheck: Schema.optionalKey(Schema.Struct({ test: Schema.Union([Schema.String, Schema.Array(Schema.String)]) })),
  volumes: Schema.optionalKey(Schema.Array(Schema.String)),
  networks: Schema.optionalKey(Schema.Array(Schema.String)),
  ports: Schema.optionalKey(Schema.Array(Schema.String)),
  read_only: Schema.optionalKey(Schema.Boolean),
  tmpfs: Schema.optionalKey(Schema.Array(Schema.String)),
  cap_drop: Schema.optionalKey(Schema.Array(Schema.String)),
  security_opt: Schema.optionalKey(Schema.Array(Schema.String))
})
const Compose = Schema.Struct({
  services: Schema.Struct({ killmaild: Service, postgres: Service, jaeger: Service }),
  networks: Schema.Record(Schema.String, Schema.NullOr(Schema.Struct({ internal: Schema.Boolean }))),
  volumes: Schema.Record(Schema.String, Schema.Null)
})

const compose = Schema.decodeUnknownSync(Compose)(parse(read("compose.yaml"), { merge: true }))
const { killmaild, postgres } = compose.services

/** Instruction and arguments, line by line, continued lines joined. */
const dockerfile = read("Dockerfile")
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => ({ instruction: line.slice(0, line.indexOf(" ")), rest: line.slice(line.indexOf(" ") + 1) }))

const argumentsOf = (instruction: string) =>
  dockerfile.filter((line) => line.instruction === instruction).map(({ rest }) => rest)
const image = Object.fromEntries(argumentsOf("ENV").flatMap((rest) => rest.split(" ")).map((pair) => pair.split("=")))
const copies = argumentsOf("COPY").filter((rest) => !rest.startsWith("--from")).map((rest) =>
  rest.split(" ").slice(0, -1)
)
const commandIn = (rest: string): ReadonlyArray<string> => JSON.parse(rest.slice(rest.indexOf("[")))
const command = commandIn(argumentsOf("CMD")[0]!)
const healthcheck = commandIn(argumentsOf("HEALTHCHECK")[0]!)

const settings = new Set(describeSettings.flatMap(({ name, secret }) => secret ? [name, `${name}_FILE`] : [name]))

const manifest: { readonly dependencies: Record<string, string> } = JSON.parse(read("package.json"))
const lock: { readonly packages: Record<string, { readonly dev?: boolean; readonly optional?: boolean }> } = JSON.parse(
  read("package-lock.json")
)

describe("the compose file", () => {
  it("names no setting that does not exist", () => {
    const named = [...Object.keys(killmaild.environment!), ...read("compose.yaml").match(/KILLMAILD_\w+/g)!]
    assert.deepStrictEqual(named.filter((name) => !settings.has(name)), [])
    for (const service of [postgres, compose.services.jaeger]) {
      assert.deepStrictEqual(Object.keys(service.environment ?? {}).filter((name) => !name.startsWith("POSTGRES_")), [])
    }
  })

  it("starts killmaild when a Postgres 18 answers, under the name and password of its URL", () => {
    assert.match(postgres.image!, /^postgres:18(\.|$)/)
    assert.isDefined(postgres.healthcheck)
    assert.deepStrictEqual(killmaild.depends_on, { postgres: { condition: "service_healthy" } })
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = postgres.environment!
    assert.strictEqual(
      killmaild.environment!["DATABASE_URL"],
      `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`
    )
    assert.isTrue(postgres.networks!.some((network) => killmaild.networks!.includes(network)))
  })

  it("gives killmaild nothing but its volume to write to, and no privilege", () => {
    assert.isTrue(killmaild.read_only)
    assert.deepStrictEqual(killmaild.tmpfs, ["/tmp"])
    assert.deepStrictEqual(killmaild.cap_drop, ["ALL"])
    assert.deepStrictEqual(killmaild.security_opt, ["no-new-privileges:true"])
    assert.deepStrictEqual(killmaild.volumes, [`keys:${killmaild.environment!["KILLMAILD_DATA_DIR"]}`])
    assert.strictEqual(killmaild.environment!["KILLMAILD_DATA_DIR"], image["KILLMAILD_DATA_DIR"])
    assert.isDefined(killmaild.healthcheck)
  })

  it("opens ports on this machine only, and Postgres to nobody else", () => {
    for (const { ports = [] } of Object.values(compose.services)) {
      assert.deepStrictEqual(ports.filter((port) => !port.startsWith("127.0.0.1:")), [])
    }
    assert.isUndefined(postgres.ports)
    assert.deepStrictEqual(postgres.networks!.filter((network) => compose.networks[network]?.internal !== true), [])
    const published = killmaild.ports![0]!.split(":").at(-1)
    assert.strictEqual(published, killmaild.environment!["KILLMAILD_PORT"])
  })

  it("declares every volume and network that it uses", () => {
    for (const { volumes = [], networks = [] } of Object.values(compose.services)) {
      assert.deepStrictEqual(volumes.filter((volume) => !Object.hasOwn(compose.volumes, volume.split(":")[0]!)), [])
      assert.deepStrictEqual(networks.filter((network) => !Object.hasOwn(compose.networks, network)), [])
    }
  })

  it("sends traces to Jaeger", () => {
    assert.strictEqual(killmaild.environment!["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://jaeger:4318")
    assert.isTrue(compose.services.jaeger.networks!.some((network) => killmaild.networks!.includes(network)))
  })
})

describe("the image", () => {
  it("has the Node that runs a checkout", () => {
    const wanted = `node:${manifest.dependencies["node"]}-slim`
    assert.deepStrictEqual(argumentsOf("FROM").map((rest) => rest.split(" ")[0]), [wanted, wanted])
  })

  it("is made of files that exist and that .dockerignore lets through, and runs one of them", () => {
    const admitted = read(".dockerignore").split("\n").filter((line) => line.startsWith("!")).map((line) =>
      line.slice(1)
    )
    assert.sameMembers([...new Set(copies.flat())], admitted)
    assert.deepStrictEqual(copies.flat().filter((path) => !existsSync(join(root, path))), [])
    assert.strictEqual(command[0], "node")
    assert.isTrue(existsSync(join(root, command[1]!)))
  })

  it("runs as an ordinary user, and names only settings that exist", () => {
    assert.deepStrictEqual(argumentsOf("USER"), ["node"])
    assert.deepStrictEqual(Object.keys(image).filter((name) => !settings.has(name)), ["NODE_COMPILE_CACHE"])
    assert.deepStrictEqual(argumentsOf("VOLUME"), [image["KILLMAILD_DATA_DIR"]])
    assert.deepStrictEqual(argumentsOf("EXPOSE"), [image["KILLMAILD_PORT"]])
  })

  it.live(
    "serves from a tree that it cannot write, without dev and optional packages, and stops at SIGTERM with 0",
    () =>
      Effect.gen(function*() {
        const tree = yield* readOnlyTree
        const env = {
          ...image,
          PATH: "/usr/bin:/bin",
          KILLMAILD_PORT: String(yield* freePort),
          KILLMAILD_DATA_DIR: yield* temporary(identity),
          // Nobody answers there, and nobody else is asked.
          KILLMAILD_ESI_URL: "http://127.0.0.1:9",
          KILLMAILD_FEEDS: "",
          DATABASE_URL: yield* byTcp((yield* TestDatabase.make).url)
        }
        const daemon = yield* Effect.acquireRelease(
          Effect.sync(() => spawn(join(tree, "node"), command.slice(1), { cwd: tree, env, ...identity })),
          (daemon) => Effect.sync(() => daemon.kill("SIGKILL"))
        )
        let said = ""
        daemon.stderr.on("data", (data: Buffer) => said += data.toString())
        const exited = once(daemon, "exit")
        const healthy = Effect.tryPromise(() =>
          run(join(tree, "node"), healthcheck.slice(1), { cwd: tree, env, ...identity })
        ).pipe(
          Effect.retry(Schedule.spaced("100 millis"))
        )
        yield* Effect.raceFirst(
          healthy,
          Effect.promise(() => exited).pipe(Effect.andThen(Effect.sync(() => assert.fail(`it ended: ${said}`))))
        )
        daemon.kill("SIGTERM")
        assert.deepStrictEqual(yield* Effect.promise(() => exited), [0, null], said)
      }),
    60_000
  )
})

const run = promisify(execFile)

/** Of the container: anybody but the owner of the files, where the tests may become somebody else. */
const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

const temporary = (owner: typeof identity) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const path = await mkdtemp(join(tmpdir(), "killmaild-image-"))
      if (owner.uid !== undefined) await chown(path, owner.uid, owner.gid)
      return path
    }),
    (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
  )

/** What the Dockerfile leaves in /app, and its Node. */
const readOnlyTree = Effect.acquireRelease(
  Effect.gen(function*() {
    const tree = yield* temporary({})
    const packages = Object.entries(lock.packages)
      .filter(([path, { dev, optional }]) => path !== "" && dev !== true && optional !== true)
      .map(([path]) => path)
      .filter((path) => !/^node_modules\/node(-bin-setup)?$/.test(path))
    yield* Effect.promise(async () => {
      for (const path of packages) {
        await mkdir(join(tree, path, ".."), { recursive: true })
        await copyQuickly(join(root, path), join(tree, path))
      }
      for (const path of copies.flat()) await cp(join(root, path), join(tree, path), { recursive: true })
      await copyQuickly(process.execPath, join(tree, "node"))
      await run("find", [tree, "-type", "d", "-exec", "chmod", "a-w,a+rx", "{}", "+"])
    })
    return tree
  }),
  (tree) => Effect.promise(() => run("find", [tree, "-type", "d", "-exec", "chmod", "u+w", "{}", "+"]))
)

/** By hard links, where the file systems are one. */
const copyQuickly = (from: string, to: string) =>
  run("cp", ["-al", from, to]).catch(async () => {
    await rm(to, { recursive: true, force: true })
    await run("cp", ["-a", from, to])
  })

const freePort = Effect.promise(async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return port
})

/** The embedded Postgres answers its own user only: others go through here. */
const byTcp = Effect.fnUntraced(function*(url: string) {
  const parsed = new URL(url)
  const directory = decodeURIComponent(parsed.hostname)
  if (!directory.startsWith("/")) return url
  const server = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer((client) => {
        const socket = connect(join(directory, ".s.PGSQL.5432"))
        client.on("error", () => socket.destroy()).pipe(socket)
        socket.on("error", () => client.destroy()).pipe(client)
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) => Effect.sync(() => server.close())
  )
  return `postgres://postgres@127.0.0.1:${(server.address() as AddressInfo).port}${parsed.pathname}`
})
