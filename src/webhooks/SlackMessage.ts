/** A killmail as blocks of Slack, whose sections hold 3000 characters (https://docs.slack.dev/reference/block-kit/blocks). Pure. */
import { cut, type Involved, iskOf, type KillmailReport, renderOf, type Side } from "./KillmailReport.ts"

/** Slack shows no colour with blocks. */
const circles: Readonly<Record<Side, string>> = {
  kill: ":large_green_circle: ",
  loss: ":red_circle: ",
  neither: ""
}

export const slackMessage = (report: KillmailReport) => ({
  // For notifications, and clients that show no blocks.
  text: escaped(cut(report.title, 1000)),
  unfurl_links: false,
  blocks: [
    {
      type: "section",
      text: mrkdwn(
        [
          `${circles[report.side]}*<${report.url}|${escaped(cut(report.title, 300))}>*`,
          `${linked(report.victim)} lost a *${escaped(report.ship)}*.`,
          ...(report.finalBlow === undefined ? [] : [finalBlowOf(report.finalBlow)])
        ].join("\n")
      ),
      accessory: { type: "image", image_url: renderOf(report.shipTypeId), alt_text: cut(report.ship, 200) }
    },
    { type: "context", elements: [mrkdwn(factsOf(report).map(escaped).join("  ·  "))] }
  ]
})

const finalBlowOf = (finalBlow: Involved): string =>
  `Final blow by ${linked(finalBlow)}${finalBlow.ship === undefined ? "" : ` in a *${escaped(finalBlow.ship)}*`}.`

const linked = ({ of, who }: Involved): string => {
  const [own, ...others] = [who, ...of].map(({ name, url }) => `<${url}|${escaped(cut(name, 100))}>`)
  return others.length === 0 ? own! : `${own} (${others.join(", ")})`
}

const factsOf = (report: KillmailReport): ReadonlyArray<string> => [
  report.value === undefined ? "unknown value" : iskOf(report.value),
  `${report.involved.toLocaleString("en")} involved`,
  report.system + (report.security === undefined ? "" : ` (${report.security})`),
  ...(report.region === undefined ? [] : [report.region]),
  ...report.marks,
  ...(report.ownUrl === undefined ? [] : [report.ownUrl])
]

const mrkdwn = (text: string) => ({ type: "mrkdwn", text: cut(text, 3000) })

/** https://docs.slack.dev/messaging/formatting-message-text: these three, and nothing else. A `|` would end a link's text. */
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("|", "¦")
