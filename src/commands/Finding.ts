/** What an examination found. */
export interface Finding {
  readonly name: string
  readonly ok: boolean
  /** Without a full stop. */
  readonly finding: string
  /** What to do about a fault. */
  readonly hint?: string
}

export const well = (name: string, finding: string): Finding => ({ name, ok: true, finding })
export const fault = (name: string, finding: string, hint: string): Finding => ({ name, ok: false, finding, hint })
