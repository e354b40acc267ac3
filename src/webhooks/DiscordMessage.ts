/**
 * A killmail as an embed of Discord, within its limits: title 256 characters, description 4096, field value 1024, all of it
 * 6000 (https://discord.com/developers/docs/resources/message#embed-object-embed-limits). Pure.
 */
import { cut, type Involved, iskOf, type KillmailReport, logoOf, renderOf, type Side } from "./KillmailReport.ts"

const colours: Readonly<Record<Side, number>> = { kill: 0x2ecc71, loss: 0xe74c3c, neither: 0xf1c40f }
const words: Readonly<Record<Side, string>> = { kill: "Kill", loss: "Loss", neither: "Killmail" }

export const discordMessage = (report: KillmailReport) => ({
  username: "killmaild",
  // Names of pilots and corporations may say @everyone.
  allowed_mentions: { parse: [] },
  embeds: [{
    title: cut(escaped(report.title), 256),
    url: report.url,
    color: colours[report.side],
    author: {
      name: cut([words[report.side], ...report.marks].join(" · "), 256),
      ...(report.corporationId === undefined ? {} : { icon_url: logoOf(report.corporationId) })
    },
    description: cut(linesOf(report).join("\n"), 2048),
    thumbnail: { url: renderOf(report.shipTypeId) },
    fields: [
      field("Value", report.value === undefined ? "unknown" : iskOf(report.value)),
      field("Involved", report.involved.toLocaleString("en")),
      field("Location", locationOf(report))
    ],
    ...(report.ownUrl === undefined ? {} : { footer: { text: cut(report.ownUrl, 512) } }),
    timestamp: report.time
  }]
})

const linesOf = ({ finalBlow, ship, victim }: KillmailReport): ReadonlyArray<string> => [
  `${linked(victim)} lost a **${escaped(ship)}**.`,
  ...(finalBlow === undefined ? [] : [
    `Final blow by ${linked(finalBlow)}${finalBlow.ship === undefined ? "" : ` in a **${escaped(finalBlow.ship)}**`}.`
  ])
]

const linked = ({ of, who }: Involved): string => {
  const [own, ...others] = [who, ...of].map(({ name, url }) => `[${escaped(cut(name, 100))}](${url})`)
  return others.length === 0 ? `**${own}**` : `**${own}** (${others.join(", ")})`
}

const locationOf = ({ region, security, system }: KillmailReport): string =>
  escaped(`${system}${security === undefined ? "" : ` (${security})`}${region === undefined ? "" : `, ${region}`}`)

const field = (name: string, value: string) => ({ name, value: cut(value, 1024), inline: true })

/** What Discord's Markdown would read as something else. */
const escaped = (text: string): string => text.replaceAll(/[\\*_~`|>[\]()#<@]/g, "\\$&")
